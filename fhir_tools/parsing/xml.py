"""XML that comes from elsewhere: no entities, no DTD, no network, no huge trees."""

from __future__ import annotations

from typing import Any

from fhir_tools.parsing.types import Unreadable

__all__ = ["parse_xml"]


def parse_xml(body: bytes) -> Any:
    """The root element. Raises Unreadable for what is broken or brings a document type of its own."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise Unreadable("the XML is broken") from None
    if root.getroottree().docinfo.doctype:
        raise Unreadable("the XML brings a document type of its own, which is not read")
    return root
