"""Labels that say "no answer", in the languages of the surveys that are read: one rule for waves and imports.

Takes a label, gives what kind of no answer it is. Knows no code and no file.

Languages: English, German, French, Spanish, Italian, Dutch. `dont_know` is something that a respondent said; `refused`
and `missing` (not asked, skipped, not applicable, no answer) are not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["dont_know", "refused", "missing"]

_REST = r"( ?[/,(;:–-].*)?"
"""What may follow: a remark, not a sentence that goes on ("I don't know much about it" is an answer)."""

_DONT_KNOW = (
    r"(i )?(really )?(don.?t|do not|didn.?t|cannot) (know|remember){REST}|dk|dk/?na|dont know|"
    r"(i.?m )?(not|un)[- ]?sure.*|unsure"
    r"|(no|without( an)?) opinion|can.?t (say|choose|decide)|cannot (say|choose)|undecided|"
    r"hard to say|no idea|(spontaneous )?don.?t know"
    r"|wei(ß|ss) (ich |es )?nicht{REST}|w\.? ?n\.?|keine meinung|(noch )?unentschieden|unentschlossen"
    r"|(je )?ne sa(is|it) pas{REST}|ne se prononce pas|nsp|sans opinion|aucune opinion|ind[ée]cis(e)?"
    r"|(no|ns) (lo )?s[ée]{REST}|no sabe{REST}|ns|ns/?nc|sin opini[óo]n|indeciso"
    r"|non (lo )?so{REST}|non sa{REST}|nessuna opinione|indeciso/a"
    r"|weet (ik )?(het )?niet{REST}|w\.?n\.?|geen mening|twijfel"
)
_REFUSED = (
    r"(i )?prefer not to (say|answer|respond|disclose|tell)|(i.?d )?rather not (say|answer)|"
    r"(i )?refus(ed?|al|es)( to (answer|say))?{REST}|declined?{REST}"
    r"|(no answer|not answered|did not answer|unanswered){REST}|na/?refused|choose not to .*"
    r"|keine angaben?{REST}|k\.? ?a\.?|(antwort )?verweigert{REST}|verweigerung|nicht beantwortet|"
    r"m[öo]chte (ich )?(das )?nicht (sagen|beantworten)"
    r"|refus(e|é|ée|e de r[ée]pondre)?|pas de r[ée]ponse|sans r[ée]ponse|non r[ée]ponse|"
    r"ne (souhaite|veut|veux) pas (r[ée]pondre|le dire)|"
    r"nr"
    r"|no contesta|nc|n\.?c\.?|rehusa.*|se niega.*|sin respuesta|prefiero no (decir|contestar|responder).*"
    r"|non risponde|rifiut(a|o|ato).*|nessuna risposta|senza risposta|prefer(isco|isce) non (rispondere|dirlo).*"
    r"|geen antwoord|weigert?{REST}|geweigerd|wil (ik )?niet (zeggen|antwoorden).*|"
    r"zeg ik liever niet|liever niet zeggen"
)
_MISSING = (
    r"(system )?missing{REST}|no data|"
    r"not (applicable|asked|ascertained|available|in universe|stated|surveyed|specified|selected for .*){REST}"
    r"|inapplicable{REST}|inap\.?( not asked)?{REST}|(item |unit )?non-?response|iap|n/?a|n\.a\.|"
    r"question not asked.*|(item )?skipped( on web)?{REST}|skip|legitimate skip|nilsstruct|"
    r"not reached|(partial )?break-?off|interrupted"
    r"|trifft nicht zu|nicht (gefragt|erhoben|gestellt|zutreffend|anwendbar|teilgenommen){REST}|"
    r"entf[äa]llt|tnz|fehlend(er wert)?|[üu]bersprungen|nicht in auswahlgesamtheit.*|"
    r"nicht einzustufen|interview abgebrochen"
    r"|sans objet|non (demand[ée]e?|concern[ée]e?|applicable|pos[ée]e?){REST}|ne s.applique pas|"
    r"valeur manquante|manquant(e)?|saut[ée]e?|pas (demand[ée]|pos[ée]e?)"
    r"|no (aplica|procede|preguntad[ao]|corresponde|aplicable){REST}|no se (aplica|pregunt[óo]){REST}|"
    r"perdido|valor perdido|omitid[ao]|saltad[ao]"
    r"|non (applicabile|chiest[ao]|pertinente|previst[ao]){REST}|dato mancante|mancante|saltat[ao]|omess[ao]"
    r"|niet (van toepassing|gevraagd|gesteld|beschikbaar|ingevuld|bevraagd){REST}|n\.?v\.?t\.?|"
    r"ontbrekend(e waarde)?|overgeslagen"
)
_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("dont_know", re.compile(_DONT_KNOW.replace("{REST}", _REST))),
    ("refused", re.compile(_REFUSED.replace("{REST}", _REST))),
    ("missing", re.compile(_MISSING.replace("{REST}", _REST))),
)
_PREFIX = re.compile(r"^\W*(-?\d{1,4}\s*[.:)=-]*\s*)?")
_EITHER = re.compile(r"\s*[/,;|]\s*|\s+(?:or|oder|ou|o|of)\s+")


def kinds(labels: Mapping[Any, str]) -> dict[Any, Kind]:
    """Return code -> kind of no answer for the labels of one variable that name none.

    "Trifft nicht zu" is an answer where another label says "trifft ... zu", and so is "not applicable" beside
    "applicable".
    """
    found = {code: named for code, label in labels.items() if (named := kind(label)) is not None}
    for code in list(found):
        positive = re.sub(r"\b(nicht|not|niet|non|no|pas) ", "", " ".join(labels[code].casefold().split()))
        others = [" ".join(label.casefold().split()) for other, label in labels.items() if other != code]
        if found[code] == "missing" and any(_says(other, positive) for other in others):
            del found[code]
    return found


def _says(label: str, positive: str) -> bool:
    words, wanted = label.split(), positive.split()
    return label == positive or (bool(wanted) and words[:1] == wanted[:1] and words[-1:] == wanted[-1:])


def kind(label: str) -> Kind | None:
    """Return what kind of no answer a label names, None where it names an answer; codes before it are passed over."""
    text = unicodedata.normalize("NFKC", label).replace("’", "'").casefold()
    text = " ".join(_PREFIX.sub("", text).split()).strip(' .*()[]<>-–—"')
    if named := _kind(text):
        return named
    parts = [_kind(part) for part in _EITHER.split(text)]
    if len(parts) > 1 and all(parts):
        return "dont_know" if "dont_know" in parts else parts[0]
    return None


def _kind(text: str) -> Kind | None:
    return next((name for name, pattern in _KINDS if pattern.fullmatch(text)), None)
