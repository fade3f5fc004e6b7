"""The names of months, and of days as ordinals, in English, German, French and Spanish, without accents."""

from typing import Final

_MONTHS: Final = """
january jan janner januar janvier janv enero ene
february feb februar feber fevrier fevr fev febrero
march mar marz maerz mrz mars marzo
april apr avril avr abril abr
may mai mayo
june jun juni juin junio
july jul juli juillet juil julio
august aug aout agosto ago
september sep sept septembre septiembre setiembre
october oct oktober okt octobre octubre
november nov novembre noviembre
december dec dezember dez decembre diciembre dic
"""
_ENGLISH: Final = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_SPANISH: Final = "primero segundo tercero cuarto quinto sexto septimo octavo noveno decimo"
_GERMAN: Final = (
    "ers zwei drit vier funf sechs sieb ach neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn siebzehn "
    "achtzehn neunzehn zwanzigs einundzwanzigs zweiundzwanzigs dreiundzwanzigs vierundzwanzigs "
    "funfundzwanzigs sechsundzwanzigs siebenundzwanzigs achtundzwanzigs neunundzwanzigs dreißigs "
    "einunddreißigs"
)

# A name → 1 to 12.
MONTHS: Final = {
    name: month for month, names in enumerate(_MONTHS.strip().splitlines(), 1) for name in names.split()
}
# An ordinal that is one word → 1 to 31; "twenty third" is put together where it is read.
ORDINALS: Final = (
    {word: day for words in (_ENGLISH, _SPANISH) for day, word in enumerate(words.split(), 1)}
    | {"thirtieth": 30, "premier": 1, "siebente": 7, "siebenten": 7}
    | {f"{stem}{end}": day for day, stem in enumerate(_GERMAN.split(), 1) for end in ("te", "ten", "ter")}
)
