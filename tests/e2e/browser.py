"""Look at the stack's web pages as a person does: a headless Chromium that logs in, waits and takes pictures.

Also a program, for the pictures of the documentation (the stack must be up; the passwords are in its credentials.json):

    python tests/e2e/browser.py AIRFLOW_URL MLFLOW_URL CREDENTIALS_FILE FOLDER
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WINDOW = (1500, 950)
# Both pages are applications that fetch what they show; a busy machine needs a while.
PATIENCE_SECONDS = 120


def missing_program() -> str | None:
    """Return the name of a program the browser needs and this machine lacks."""
    return next((name for name in ("chromium", "chromedriver") if shutil.which(name) is None), None)


@contextmanager
def browser() -> Iterator[Chrome]:
    """Run a headless Chromium for the duration of a block."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in ("--headless=new", "--disable-dev-shm-usage", f"--window-size={WINDOW[0]},{WINDOW[1]}"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium refuses to run as root with it
    driver = Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    try:
        yield driver
    finally:
        driver.quit()


def log_in_to_airflow(driver: Chrome, url: str, user: str, password: str) -> None:
    """Fill in Airflow's login form and wait until it is left."""
    driver.get(url)
    wait = WebDriverWait(driver, PATIENCE_SECONDS)
    wait.until(lambda d: d.find_elements(By.NAME, "username"))
    driver.find_element(By.NAME, "username").send_keys(user)
    driver.find_element(By.NAME, "password").send_keys(password, Keys.ENTER)
    wait.until(lambda d: not d.find_elements(By.NAME, "password"))


def log_in_to_mlflow(driver: Chrome, url: str, user: str, password: str) -> None:
    """Give the password as a person does whom the browser asks for it; later pages need it no more."""
    scheme, rest = url.split("://")
    driver.get(f"{scheme}://{user}:{password}@{rest}/version")


def page_text(driver: Chrome) -> str:
    """Return what the page shows."""
    return driver.find_element(By.TAG_NAME, "body").text


def open_page(driver: Chrome, url: str, ready: Callable[[str], bool]) -> str:
    """Open a page, wait until its text is ``ready``, return the text; Airflow's groups of tasks are opened."""

    def is_ready(driver: Chrome) -> bool:
        for button in driver.find_elements(By.CSS_SELECTOR, "button[aria-label='Expand all task groups']"):
            driver.execute_script("arguments[0].click()", button)
        return ready(page_text(driver))

    driver.get(url)
    WebDriverWait(driver, PATIENCE_SECONDS, ignored_exceptions=[StaleElementReferenceException]).until(is_ready)
    return page_text(driver)


def _shows(text: str, words: tuple[str, ...]) -> bool:
    return all(word in text.lower() for word in words)


def take_pictures(
    airflow_url: str, mlflow_url: str, airflow_login: tuple[str, str], mlflow_login: tuple[str, str], folder: Path
) -> dict[str, str]:
    """Save a picture of each DAG's grid and of MLflow's experiment; return name -> the text on the page."""
    folder.mkdir(parents=True, exist_ok=True)
    # A page is ready when all of these are on it: tables arrive after the headings around them.
    pages: dict[str, tuple[str, tuple[str, ...]]] = {
        "airflow-market-data": (f"{airflow_url}/dags/market_data", ("plan", "publish")),
        "airflow-trade-daily": (f"{airflow_url}/dags/trade_daily", ("settle", "reconcile")),
        "mlflow-experiment": (f"{mlflow_url}/#/experiments/1/runs", ("matching run", "simulated")),
    }
    texts = {}
    with browser() as driver:
        log_in_to_airflow(driver, airflow_url, *airflow_login)
        log_in_to_mlflow(driver, mlflow_url, *mlflow_login)
        for name, (url, words) in pages.items():
            texts[name] = open_page(driver, url, lambda text, words=words: _shows(text, words))  # type: ignore[misc]
            driver.save_screenshot(str(folder / f"{name}.png"))
    return texts


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[3]).read_text())
    logins = ("admin", given["admin_password"]), ("admin", given["mlflow_password"])
    take_pictures(sys.argv[1], sys.argv[2], *logins, Path(sys.argv[4]))
