"""What somebody without a mouse does."""

from __future__ import annotations

from typing import Any

SEEN = """selector => {
  const focused = document.activeElement;
  if (!focused.matches(selector)) return null;
  const box = focused.getBoundingClientRect();
  return focused.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
}"""


def tab_to(page: Any, selector: str, limit: int = 90, key: str = "Tab") -> None:
    """Press Tab until the focus is there: what cannot be reached so, or seen then, fails."""
    for _ in range(limit):
        page.keyboard.press(key)
        seen = page.evaluate(SEEN, selector)
        if seen is not None:
            assert seen, f"{selector} has the focus, and cannot be seen"
            return
    raise AssertionError(f"{selector} cannot be reached by keyboard")


def press(page: Any, selector: str, key: str = "Enter") -> None:
    """Go there by Tab, and press a key."""
    tab_to(page, selector)
    page.keyboard.press(key)


def opened(page: Any, field: str = "") -> None:
    """Wait for the dialog, and for the field that has the focus in it."""
    page.wait_for_selector("#modal[open]")
    if field:
        page.wait_for_function("id => document.activeElement.id === id", arg=field)


def closed(page: Any) -> None:
    """Leave the dialog."""
    page.keyboard.press("Escape")
    page.wait_for_selector("#modal", state="hidden")


def seen(page: Any) -> None:
    """Say that the evidence was seen: new would serve more without proof."""
    press(page, "#dialog input[name=confirm]", "Space")


def confirmed(page: Any, says: str = "1 of 1 proxy on revision") -> None:
    """Wait until the dialog says that the proxy does it."""
    page.locator("#dialog #propagation .good", has_text=says).wait_for()


def undone(page: Any) -> None:
    """Take back what the dialog has just done."""
    press(page, "#dialog form button")
    page.get_by_text("Took back revision").wait_for()
