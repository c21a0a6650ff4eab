"""Build fhir_tools/lexicon/icd10cm.tsv.gz from the PyPI package simple-icd-10-cm (pip install simple-icd-10-cm).

ICD-10-CM is published by NCHS/CMS and is in the public domain. Kept: all 3- and 4-character codes and the
5-character ones that add no mere laterality, of chapters A to N, O, Q, R and Z; S and T at 3 characters.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import simple_icd_10_cm as icd

TARGET = Path(__file__).parent.parent / "fhir_tools" / "lexicon" / "icd10cm.tsv.gz"
SIDE = re.compile(r", (?:right|left|unspecified|bilateral)\b|\b(?:right|left|bilateral) ", re.IGNORECASE)


def wanted(code: str) -> bool:
    """Whether the table keeps this code."""
    size = len(code.replace(".", ""))
    if code[0] in "ST":
        return size == 3
    if code[0] in "UVWXY" or size > 5:
        return code.startswith(("U07", "U09")) and size <= 4
    return size <= 4 or not SIDE.search(icd.get_description(code))


def main() -> None:
    """Write the table, with no time stamp in the archive, so that the same input gives the same bytes."""
    codes = [c for c in icd.get_all_codes(True) if icd.is_category_or_subcategory(c) and wanted(c)]
    text = "code\ttitle\n" + "".join(f"{code}\t{icd.get_description(code)}\n" for code in sorted(codes))
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(codes)} codes, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
