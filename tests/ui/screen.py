"""What a person does with the workspace page, in few words, for the tests."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image


class Screen:
    """One page in a context of its own, with what it did wrong: `errors` and requests to `outside`."""

    def __init__(self, context: Any, url: str, expects_errors: bool) -> None:
        self.url = url
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.requests: list[Any] = []
        self.expects_errors = expects_errors
        self.page = context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note_console)
        self.page.on("request", self._note_request)

    def _note_console(self, message: Any) -> None:
        place = urlsplit(message.location.get("url", "")).path
        if message.type == "error" and not self.expects_errors:
            self.errors.append(f"{message.text} {place}")

    def _note_request(self, request: Any) -> None:
        self.requests.append(request)
        address = urlsplit(request.url)
        if (
            address.scheme in ("http", "https", "ws", "wss")
            and address.netloc != urlsplit(self.url).netloc
        ):
            self.outside.append(request.url)

    def open(self, path: str = "") -> None:
        """Load the page; `path` is a command, or an address behind `ui/` that starts with #."""
        fragment = (
            path if path.startswith("#") or not path else f"#/{quote(f'run/{path}', safe='')}"
        )
        self.page.goto("about:blank")  # a change of the fragment alone would not load anything
        self.page.goto(f"{self.url}/ui/{fragment}")
        self.page.wait_for_selector("#view")

    def until(self, claim: str, arg: Any = None) -> None:
        """Wait until a JavaScript expression is true; `arg` is its `arg`."""
        self.page.wait_for_function(f"arg => {claim}", arg=arg)

    def field(self, name: str) -> Any:
        """The control of an input or option."""
        return self.page.locator(f'[data-field="{name}"]')

    def output(self, name: str) -> Any:
        return self.page.locator(f'[data-output="{name}"]')

    def upload(self, name: str, *files: Path | dict[str, Any]) -> None:
        """Give files to the picker of that name."""
        self.page.set_input_files(f'[data-upload="{name}"]', [*files])

    def give_picture(self, name: str, path: Path) -> None:
        before = self.value(name)
        self.upload(name, path)
        self.page.wait_for_function(
            "([name, before]) => document.querySelector(`[data-field='${name}'] .image-frame img`)?.src !== before"
            " && document.querySelector(`[data-field='${name}'] .image-frame img`)?.complete",
            arg=[name, before],
        )

    def value(self, name: str) -> str | None:
        """Data URI of the picture that an image control will send."""
        return self.page.evaluate(
            "name => document.querySelector(`[data-field='${name}'] .image-frame img`)?.src", name
        )

    def source(self, name: str) -> None:
        """Choose where the input comes from."""
        self.page.check(f'input[name="source"][value="{name}"]', force=True)

    def run(self) -> dict[str, Any]:
        """Run the command by its button; the outputs it was answered with."""
        count = self.history_count()
        self.page.click("button.run")
        self.page.wait_for_function(
            "count => document.querySelectorAll('.tile').length > count", arg=count
        )
        return self.shown()

    def history_count(self) -> int:
        return self.page.locator(".tile").count()

    def wait_idle(self) -> None:
        """Until no run is under way."""
        self.page.wait_for_selector(".outputs[aria-busy=false]")

    def inputs(self) -> dict[str, Any]:
        """What a run would send, read from the code that the API panel copies once all values are made."""
        panel = self.page.locator(".api-panel")
        if panel.get_attribute("open") is None:
            panel.locator("summary").click()
        self.page.evaluate("() => navigator.clipboard.writeText('')")
        panel.locator(".icon-button").click()
        text = ""
        while not text:
            text = self.page.evaluate("() => navigator.clipboard.readText()")
        return json.loads(text.partition("<<'JSON'\n")[2].removesuffix("\nJSON"))

    def shown(self) -> dict[str, Any]:
        """Outputs on screen, exported as JSON by the page itself."""
        return self.export("json", scope="shown")[0]["outputs"]

    def download(self, option: str, scope: str | None = None, fps: str | None = None) -> bytes:
        """The file that an option of the export dialog gives."""
        dialog = self._export_dialog()
        if scope is not None and dialog.locator(f'option[value="{scope}"]').count():
            dialog.locator("select").first.select_option(scope)
        if fps is not None:
            dialog.get_by_label("Frames a second").fill(fps)
            dialog.get_by_label("Frames a second").press("Tab")
        with self.page.expect_download() as waiting:
            self._export_option(option).click()
        content = Path(waiting.value.path()).read_bytes()
        self._close_dialog()
        return content

    def download_nothing(self, option: str) -> None:
        """An option of the export dialog that gives no file."""
        dialog = self._export_dialog()
        self._export_option(option).click()
        dialog.get_by_text("Copied").wait_for()
        self._close_dialog()

    def _export_dialog(self) -> Any:
        self.page.get_by_role("button", name="Export").click()
        return self.page.locator("dialog")

    def _export_option(self, option: str) -> Any:
        return self.page.locator(".export-option", has=self.page.get_by_text(option, exact=True))

    def _close_dialog(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.locator("dialog").wait_for(state="detached")

    def export(self, kind: str, scope: str) -> Any:
        assert kind == "json"
        return json.loads(self.download("JSON", scope))


def picture_of(uri: str) -> Image.Image:
    """The picture in a data URI."""
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def violations(screen: Screen) -> list[str]:
    """What axe-core finds, each as `rule: elements`."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(screen.page).response["violations"]
    return [f"{one['id']}: {[node['html'][:160] for node in one['nodes']]}" for one in found]
