"""The words of a file's tags that may leave it: code strings of DICOM, never free text. Pure.

People type names and numbers into any tag. What is none of these words is dropped, so that no tag can tell who it is.
"""

from __future__ import annotations

__all__ = ["MODALITIES", "body_part", "laterality", "modality", "same_modality", "view"]

MODALITIES = frozenset(
    """AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS
    KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG
    RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US
    VA XA XC""".split()
)
"""Modality (0008,0060): the defined terms of PS3.3 C.7.3.1.1.1."""

_BODY_PARTS = frozenset(
    """ABDOMEN ABDOMENPELVIS ADRENAL ANKLE AORTA APPENDIX ARM AXILLA BACK BILEDUCT BLADDER BRAIN BREAST BRONCHUS
    BUTTOCK CALCANEUS CALF CAROTID CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS
    CLAVICLE COCCYX COLON CORNEA CORONARYARTERY CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID
    FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM
    KIDNEY KNEE LARYNX LEG LIVER LSPINE LSSPINE LUNG MANDIBLE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST
    NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT OVARY PANCREAS PAROTID PATELLA PELVIS PENIS PHARYNX PROSTATE
    RECTUM RENALARTERY RIB RIBS SCALP SCAPULA SCLERA SCROTUM SHOULDER SINUS SINUSES SKULL SPINE SPLEEN SSPINE
    STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS THYROID TIBIA TLSPINE TMJ TOE TONGUE TRACHEA TSPINE
    UMBILICALCORD URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA""".split()
)
"""Body Part Examined (0018,0015): the defined terms of PS3.16 annex L."""

_OTHER_WORDS = {
    "THORAX": "CHEST", "LUNGS": "LUNG", "TORAX": "CHEST", "CRANIUM": "SKULL", "SCHAEDEL": "SKULL", "BREASTS": "BREAST",
    "C-SPINE": "CSPINE", "T-SPINE": "TSPINE", "L-SPINE": "LSPINE", "ABD": "ABDOMEN", "ABDPELVIS": "ABDOMENPELVIS",
    "PELVIC": "PELVIS", "RETINA": "EYE", "FUNDUS": "EYE", "CARDIAC": "HEART", "RENAL": "KIDNEY", "KNEES": "KNEE",
}  # fmt: skip

_VIEWS = frozenset("AP PA LL RL RLD LLD RLO LLO".split())
"""View Position (0018,5101): PS3.3 C.8.3.1, and the words that MG and practice add."""
_MORE_VIEWS = frozenset(
    """AT AXIAL CC CCID CV EXAGGERATED FB ISO LAT LATERAL LATEROMEDIAL LM LMO LPO LAO ML MLO OBLIQUE RAO RPO RCC RMLO
    SIO SUNRISE TAN TANGENTIAL XCC XCCL XCCM""".split()
)
_ALIKE = ({"CR", "DX", "RG"}, {"US", "IVUS", "EC"}, {"MR"}, {"PT"}, {"NM"})
"""Kinds of modality whose pictures are compared with each other: projection radiography, ultrasound."""


def _code(text: object) -> str:
    return "".join(str(text).upper().split()) if isinstance(text, str) else ""


def modality(text: object) -> str:
    """The DICOM code of a modality; empty for anything else."""
    return code if (code := _code(text)) in MODALITIES else ""


def body_part(text: object) -> str:
    """The DICOM code of a body part (`CHEST`), also of a usual other word for it; empty for anything else."""
    code = _code(text)
    code = _OTHER_WORDS.get(code, code)
    return code if code in _BODY_PARTS else ""


def view(text: object) -> str:
    """The code of a view (`PA`, `MLO`); empty for what is no such word."""
    return code if (code := _code(text)) in _VIEWS | _MORE_VIEWS else ""


def laterality(text: object) -> str:
    """`L`, `R`, `B` (both) or `U` (unpaired); empty for anything else."""
    return code if (code := _code(text)) in ("L", "R", "B", "U") else ""


def same_modality(one: str, other: str) -> bool:
    """Whether pictures of the two are compared with each other: `CR`, `DX` and `RG` are all plain films."""
    return bool(one) and (one == other or any({one, other} <= group for group in _ALIKE))
