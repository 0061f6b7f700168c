"""Reports: the folder of an audit as Markdown and as a page of its own."""
