"""How the tear sheet looks, on a screen and on paper."""

STYLE = """
:root { --ink: #1c2530; --soft: #55606d; --line: #d5dbe2; --band: #f4f6f9; --accent: #1f4e79; --good: #0b6e4f;
  --bad: #a3271b; --warn: #8a5a00; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
main, header, footer, nav { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
h1 { font-size: 27px; line-height: 1.25; margin: 28px 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 0 0 4px; }
section { margin: 34px 0; }
p { margin: 4px 0 10px; max-width: 80ch; }
.note, figcaption, caption { color: var(--soft); font-size: 13.5px; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 12px; top: 12px; background: #fff; padding: 8px; }
.banner { background: #a3271b; color: #fff; padding: 14px 24px; font-weight: 600; text-align: center; font-size: 17px; }
.banner small { display: block; font-weight: 400; font-size: 14px; }
.missing { border: 1px solid #a3271b; border-left-width: 6px; padding: 10px 18px; margin: 14px 24px; font-weight: 600; }
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
thead th { background: #fff; border-bottom: 2px solid #aab4bf; position: sticky; top: 0; }
.tall-table caption { padding: 6px 9px; } th { font-weight: 600; } tbody th { font-weight: 500; white-space: nowrap; }
.n { text-align: right; white-space: nowrap; }
tbody tr:nth-child(even) { background: var(--band); }
.heat td { text-align: right; white-space: nowrap; border: 1px solid #fff; } .heat tbody tr { background: none; }
.pass { color: var(--good); font-weight: 600; } .fail { color: var(--bad); font-weight: 600; }
.middle { color: var(--warn); font-weight: 600; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 10px 30px; }
.pair > * { min-width: 0; }
footer { border-top: 1px solid var(--line); padding-top: 14px; margin-top: 40px; padding-bottom: 40px;
  color: var(--soft); font-size: 13.5px; }
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
"""

# Draws every chart once the page is there, and again in the paper's width.
SCRIPT = """
(function () {
  var settings = {responsive: true, displaylogo: false,
    modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d']};
  document.querySelectorAll('script[type="application/json"][data-chart]').forEach(function (source) {
    var chart = document.getElementById(source.dataset.chart), figure = JSON.parse(source.textContent);
    Plotly.newPlot(chart, figure.data, figure.layout, settings);
  });
  // The paper's width is not known while charts are laid out for a screen: A4 across, less its margins, in pixels.
  function relayout(paper) {
    document.querySelectorAll('.chart').forEach(function (chart) {
      var width = chart.closest('.pair') ? 490 : 1000;
      Plotly.relayout(chart, paper ? {autosize: false, width: width} : {autosize: true, width: null});
    });
  }
  window.addEventListener('beforeprint', function () { relayout(true); });
  window.addEventListener('afterprint', function () { relayout(false); });
})();
"""
