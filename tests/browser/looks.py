"""How a view of the page is looked at: narrow, wide, light, dark; by axe-core, by measure, for a picture."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Literal

from playwright.async_api import Page

from tests.packages import packages

PICTURES = os.environ.get("CALLNODE_PICTURES")
NARROW = (360, 740)
WIDE = (1120, 700)
ZOOMED = (560, 350)  # that by 200 %
_TARGET = 43.5  # px; 44, but for rounding

# What a finger must hit: a control, or the label around it.
_SMALL = """(least) => [...document.querySelectorAll("button, a, input, select, summary")]
  .map((each) => each.matches("input[type=checkbox]") ? each.closest("label") : each)
  .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.matches(".skip"))
  .map((each) => [each, each.getBoundingClientRect()])
  .filter(([, { width, height }]) => width < least || height < least)
  .map(([each, { width, height }]) => `${each.outerHTML.slice(0, 120)}: ${width} x ${height}`)"""
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_AXE = """async (runOnly) => {
  const options = { resultTypes: ["violations"], ...(runOnly && { runOnly }) };
  const { violations } = await axe.run(document, options);
  const at = ({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(at).join(" | ")}`);
}"""


@dataclass
class Looks:
    """One page, whose every view is looked at in four ways."""

    page: Page

    async def at(self, view: str, picture: bool = True) -> None:
        """Assert that nothing is wrong with what is seen now, and take its pictures if they are wanted."""
        if not await self.page.evaluate("'axe' in window"):
            folder = await asyncio.to_thread(packages)
            await self.page.add_script_tag(path=folder / "node_modules" / "axe-core" / "axe.min.js")
        for name, (width, height) in (("zoomed", ZOOMED), ("wide", WIDE), ("narrow", NARROW)):
            await self.page.set_viewport_size({"width": width, "height": height})
            await self.page.evaluate("scrollTo(0, 0)")
            assert await self.page.evaluate(_OVERFLOW) <= 0, (view, name, "scrolls to the side")
            if name == "zoomed":
                continue
            small = await self.page.evaluate(_SMALL, _TARGET)
            assert not small, (view, name, small)
            for scheme in _SCHEMES:
                # Reduced motion, so that nothing is looked at half way.
                await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                # The colours are all that the other scheme changes.
                wrong = await self.page.evaluate(_AXE, ["color-contrast"] if scheme == "dark" else None)
                assert not wrong, (view, name, scheme, wrong)
                if picture and PICTURES is not None:
                    await self._picture(Path(PICTURES) / f"{view}-{name}-{scheme}.png")
        await self.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    async def _picture(self, path: Path) -> None:
        raw = path.with_suffix(".raw.png")
        await self.page.screenshot(path=raw)
        palette = "split[a][b];[a]palettegen=max_colors=48[p];[b][p]paletteuse=dither=none"
        command = ("ffmpeg", "-y", "-loglevel", "error", "-i", raw, "-vf", palette, *_SMALLEST, path)
        await asyncio.to_thread(run, command, check=True)
        raw.unlink()


_SMALLEST = ("-compression_level", "100", "-pred", "none")
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
