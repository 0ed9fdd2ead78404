"""The tear sheet in a real browser, without a network: every chart is drawn, on a screen and on paper."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.builders.runs import finished_run
from tests.e2e.browser import PATIENCE_SECONDS, browser, missing_program
from trading_lib.performance.analysis import analyse
from trading_lib.performance.config import IntervalConfig, PerformanceConfig
from trading_lib.performance.tear_sheet.page import Provenance, tear_sheet

pytestmark = pytest.mark.e2e
CHARTS = 7


def test_a_browser_draws_every_chart(tmp_path: Path) -> None:
    missing = missing_program()
    if missing and os.environ.get("CI"):
        pytest.fail(f"{missing} is not installed")
    if missing:
        pytest.skip(f"{missing} is not installed")
    analysis = analyse(finished_run()[1], PerformanceConfig(intervals=IntervalConfig(samples=100))).with_intervals()
    page = tmp_path / "sheet.html"
    page.write_text(tear_sheet(analysis, Provenance("Backtest", "simulated", "abc", "1.0")), encoding="utf-8")
    with browser() as driver:
        driver.set_network_conditions(offline=True, latency=0, throughput=0)
        driver.get(page.as_uri())
        wait = WebDriverWait(driver, PATIENCE_SECONDS)
        wait.until(lambda d: len(d.find_elements(By.CSS_SELECTOR, ".chart .plot-container")) == CHARTS)
        # A line or an area that was drawn has a path with more than its beginning.
        drawn = (
            "return [...document.querySelectorAll('.chart')].filter(c => c.querySelector('path[d*=L], .point path'))"
        )
        assert len(driver.execute_script(drawn)) == CHARTS
        assert [entry for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
        width = "return Math.max(...[...document.querySelectorAll('.chart .main-svg')].map(s => s.clientWidth))"
        driver.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        assert driver.execute_script(width) == 1000
        driver.execute_script("window.dispatchEvent(new Event('afterprint'))")
        wait.until(lambda d: d.execute_script(width) > 1000)
        dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
        paper = "return [...document.querySelectorAll('.chart .main-svg')].map(s => s.style.background)"
        wait.until(lambda d: "rgb(18, 24, 31)" in d.execute_script(paper))
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        wait.until(lambda d: d.execute_script(width) <= 390)
        assert driver.execute_script("return document.documentElement.scrollWidth") == 390
        verdict = driver.find_element(By.CSS_SELECTOR, "#metrics td.verdict").rect
        assert verdict["x"] + verdict["width"] <= 390
        assert "SIMULATED PRICES" in driver.find_element(By.CLASS_NAME, "banner").text
