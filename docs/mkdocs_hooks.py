"""Hooks of ``mkdocs build``: the pages of the repository's root join those of ``docs``; the commands get their help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from esoteric_drbg.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
ROOT_PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the root, README.md as the first page of the site."""
    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that hold in the repository into links that hold on the site; what the site lacks becomes text."""
    if page.file.src_uri in ROOT_PAGES:
        markdown = re.sub(r"\]\(docs/", "](", markdown)
        markdown = re.sub(r"\]\(sources\)", "](sources/README.md)", markdown)
        return re.sub(r"\[([^\]]+)\]\((examples/[^)]+|LICENSE)\)", r"`\1`", markdown)
    up = "../" * page.file.src_uri.count("/")
    for name in ROOT_PAGES:
        markdown = markdown.replace(f"](../{up}{name}", f"]({up}{name}")
    return markdown.replace("<!-- commands -->", "\n".join(command_help(cli, "esoteric-drbg", None)))


def command_help(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """Yield a heading and the text of ``--help`` for a command, then those of its own commands."""
    context = click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, terminal_width=100)
    yield f"## `{name}`\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                yield from command_help(found, f"{name} {inner}", context)
