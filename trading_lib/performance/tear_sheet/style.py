"""How the tear sheet looks, on a screen and on paper."""

# Columns of numbers are set to the right; a table names them by its classes.
_NUMBERS = "\n".join(
    f".n{place} :is(td, th):nth-child({place}) {{ text-align: right; white-space: nowrap; }}" for place in range(1, 16)
)

STYLE = """
:root { color-scheme: light dark; --page: #ffffff; --ink: #1c2530; --soft: #55606d; --line: #d5dbe2;
  --band: #f4f6f9; --accent: #1f4e79; --good: #0b6e4f; --bad: #a3271b; --warn: #8a5a00; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #12181f; --ink: #e6ebf1; --soft: #a9b4c0; --line: #35404c; --band: #1a222b; --accent: #7db4e6;
    --good: #5fcf9f; --bad: #ff8a75; --warn: #e0b45c; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
main, header, footer, nav { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
h1 { font-size: 27px; line-height: 1.25; margin: 28px 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 0 0 4px; }
section { margin: 34px 0; }
p { margin: 4px 0 10px; max-width: 80ch; }
.note, figcaption, caption { color: var(--soft); font-size: 13.5px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 12px; background: var(--page); padding: 8px; }
.banner { background: #a3271b; color: #fff; padding: 14px 24px; font-weight: 600; text-align: center; font-size: 17px; }
.banner small { display: block; font-weight: 400; font-size: 14px; }
.missing { border: 1px solid var(--bad); border-left-width: 6px; padding: 10px 18px; margin: 14px 24px;
  font-weight: 600; }
.missing ul { margin: 4px 0 0; font-weight: 400; }
.warnings { border: 2px solid var(--bad); border-radius: 8px; color: var(--bad); margin: 12px 0;
  padding: 10px 14px 10px 32px; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 8px 28px; margin: 14px 0;
  padding: 14px 0; border-top: 1px solid var(--line); border-bottom: 1px solid var(--line); }
.facts div { min-width: 0; } .facts dt { color: var(--soft); font-size: 12.5px; }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 16px 0;
  padding: 0; list-style: none; }
.cards li { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; background: var(--band); }
.cards b { display: block; font-size: 23px; font-weight: 650; font-variant-numeric: tabular-nums; }
.cards span { color: var(--soft); font-size: 13px; }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 10px 0; list-style: none; font-size: 14px; }
a { color: var(--accent); }
figure { margin: 8px 0 0; } .chart { width: 100%; height: 380px; } .chart.tall { height: 520px; }
.chart.short { height: 290px; }
.scroll { overflow: auto; } .scroll:focus-visible { outline: 2px solid var(--accent); }
.tall-table .scroll { max-height: 460px; border: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; margin: 8px 0; }
caption { text-align: left; padding: 0 0 6px; }
th, td { text-align: left; padding: 5px 9px; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { background: var(--page); border-bottom: 2px solid #aab4bf; position: sticky; top: 0; }
.tall-table caption { padding: 6px 9px; } th { font-weight: 600; } tbody th { font-weight: 500; white-space: nowrap; }
NUMBERS
tbody tr:nth-child(even) { background: var(--band); }
.heat td { text-align: right; white-space: nowrap; border: 1px solid var(--page); } .heat tbody tr { background: none; }
.pass { color: var(--good); font-weight: 600; } .fail { color: var(--bad); font-weight: 600; }
.middle { color: var(--warn); font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(430px, 100%), 1fr)); gap: 10px 30px; }
.pair > * { min-width: 0; }
footer { border-top: 1px solid var(--line); padding-top: 14px; margin-top: 40px; padding-bottom: 40px;
  color: var(--soft); font-size: 13.5px; }
.no-charts { color: var(--bad); padding: 20px; }
@media (max-width: 640px) {
  main, header, footer, nav { padding: 0 14px; } h1 { font-size: 21px; } .banner, .missing { margin-left: 14px;
    margin-right: 14px; } .banner { margin: 0; padding: 12px 14px; }
  .facts, .cards { grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 8px 14px; }
  .cards b { font-size: 20px; } .chart { height: 400px; } .chart.tall { height: 480px; } .chart.short { height: 330px; }
  .stacked thead { display: none; } .stacked tr { display: grid; grid-template-columns: 1fr 1fr; padding: 8px 0;
    border-bottom: 1px solid var(--line); }
  .stacked th, .stacked td { border: 0; padding: 1px 6px; text-align: left !important; white-space: normal !important; }
  .stacked td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .stacked td.verdict { grid-column: 2; grid-row: 1; }
}
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { font-size: 11px; } main, header, footer { max-width: none; padding: 0; } nav, .skip { display: none; }
  .banner, .heat td, .cards li, tbody tr:nth-child(even) { print-color-adjust: exact;
    -webkit-print-color-adjust: exact; }
  section { margin: 18px 0; break-inside: auto; } figure, .cards, .facts { break-inside: avoid; }
  h2 { break-after: avoid; }
  .pair { grid-template-columns: 1fr 1fr; } .tall-table .scroll { max-height: none; border: 0; overflow: visible; }
  thead { display: table-header-group; } thead th { position: static; }
  table { font-size: 10.5px; } th, td { padding: 2px 6px; } tr { break-inside: avoid; } .scroll { overflow: visible; }
  .modebar { display: none !important; }
}
""".replace("NUMBERS", _NUMBERS)

# Unpacks plotly, draws every chart in the colours of the page, and again when those or the width change.
SCRIPT = """
(function () {
  var settings = {responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d']};
  var dark = window.matchMedia('(prefers-color-scheme: dark)'), narrow = window.matchMedia('(max-width: 640px)');
  // What is dark on paper is light on a dark page; everything else is seen on both.
  var night = {'#ffffff': '#12181f', '#1c2530': '#e6ebf1', '#1f4e79': '#7db4e6', '#e8ecf0': '#2b3540',
    '#7a7a7a': '#a9b4c0', '#a3271b': '#ff8a75', '#e3e7ec': '#3a444f', '#009e73': '#3cc79c', '#d55e00': '#ff8c3f',
    '#ffe9a8': '#4a4022', '#ffc37a': '#5c4420', '#ff9a6b': '#6b3a22', '#e2574c': '#8a302a'};
  var shared = [];
  function figureOf(source, paper) {
    var text = source.textContent;
    if (dark.matches && !paper) {
      for (var day in night) { text = text.split(day).join(night[day]); }
    }
    var figure = JSON.parse(text, function (key, value) {
      return value && typeof value === 'object' && '$' in value ? shared[value.$] : value;
    });
    if (narrow.matches && !paper) {
      var many = figure.data.length > 6;
      figure.layout.font.size = 11;
      // A finger that drags wants to scroll the page.
      figure.layout.dragmode = false;
      figure.layout.margin = {l: 40, r: 8, t: figure.layout.xaxis.rangeselector ? 34 : 12, b: many ? 150 : 90};
      figure.layout.legend = {orientation: 'h', x: 0, xanchor: 'left', y: -0.12, yanchor: 'top'};
      figure.layout.showlegend = figure.data.length > 1;
      Object.keys(figure.layout).filter(function (name) { return name.startsWith('yaxis'); })
        .forEach(function (name) { figure.layout[name].title = {text: ''}; });
    }
    return figure;
  }
  function drawAll(paper) {
    document.querySelectorAll('script[type="application/json"][data-chart]').forEach(function (source) {
      var chart = document.getElementById(source.dataset.chart), figure = figureOf(source, paper);
      if (paper) {
        figure.layout.autosize = false;
        // The paper's width is not known while charts are laid out for a screen: A4 across, less its margins.
        figure.layout.width = chart.closest('.pair') ? 490 : 1000;
      }
      settings.displayModeBar = narrow.matches ? false : 'hover';
      Plotly.react(chart, figure.data, figure.layout, settings);
      if (!paper) { Plotly.relayout(chart, {autosize: true, width: null}); }
    });
  }
  function begin() {
    drawAll(false);
    dark.addEventListener('change', function () { drawAll(false); });
    narrow.addEventListener('change', function () { drawAll(false); });
    window.addEventListener('beforeprint', function () { drawAll(true); });
    window.addEventListener('afterprint', function () { drawAll(false); });
  }
  function refuse() {
    document.querySelectorAll('.chart').forEach(function (chart) {
      chart.className = 'no-charts';
      chart.textContent = 'This browser is too old for the charts; tables and figures are complete.';
    });
  }
  function unpacked(id) {
    var packed = atob(document.getElementById(id).textContent), bytes = new Uint8Array(packed.length);
    for (var i = 0; i < packed.length; i++) { bytes[i] = packed.charCodeAt(i); }
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
  }
  try {
    Promise.all([unpacked('plotly'), unpacked('arrays')]).then(function (texts) {
      var script = document.createElement('script');
      shared = JSON.parse(texts[1]);
      script.textContent = texts[0];
      document.head.appendChild(script);
      begin();
    }).catch(refuse);
  } catch (error) { refuse(); }
})();
"""
