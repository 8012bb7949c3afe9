"""The catalogue's English headings and words in other languages, where somebody has translated them."""

from __future__ import annotations

_COLUMNS = ("nb", "de")
_TABLE = """
Company|Firma|Firma
Company ID|Firma-ID|Firmen-ID
Department|Avdeling|Abteilung
Number|Nummer|Nummer
Code|Kode|Code
VAT number|Org.nr.|USt-IdNr.
Category|Kategori|Kategorie
Business|Bransje|Branche
Country|Land|Land
Our contact|Vår kontakt|Unser Kontakt
User group|Brukergruppe|Benutzergruppe
Stop|Stopp|Stopp
No mailings|Ingen utsendelser|Keine Mailings
No e-marketing|Ingen e-markedsføring|Kein E-Marketing
Telephone|Telefon|Telefon
Mobile|Mobil|Mobil
Fax|Faks|Fax
E-mail|E-post|E-Mail
Web|Nettsted|Web
Address|Adresse|Adresse
Address line 2|Adresselinje 2|Adresszeile 2
Address line 3|Adresselinje 3|Adresszeile 3
Postcode|Postnummer|PLZ
City|Sted|Ort
County|Fylke|Landkreis
State|Delstat|Bundesland
Note|Notat|Notiz
Registered|Registrert|Erfasst
Registered by|Registrert av|Erfasst von
Updated|Oppdatert|Geändert
Updated by|Oppdatert av|Geändert von
Activities|Aktiviteter|Aktivitäten
Last activity|Siste aktivitet|Letzte Aktivität
Sales|Salg|Verkäufe
Last sale|Siste salg|Letzter Verkauf
Open sales|Åpne salg|Offene Verkäufe
Sold|Solgt|Verkauft
Person ID|Person-ID|Personen-ID
First name|Fornavn|Vorname
Middle name|Mellomnavn|Zweiter Vorname
Last name|Etternavn|Nachname
Name|Navn|Name
Mr/Ms|Tiltale|Anrede
Title|Tittel|Titel
Position|Stilling|Position
Rank|Rang|Rang
Retired|Sluttet|Ausgeschieden
Sale|Salg|Verkauf
Sale ID|Salgs-ID|Verkaufs-ID
Date|Dato|Datum
Next activity|Neste aktivitet|Nächste Aktivität
Reopen|Gjenåpnes|Wiedervorlage
Amount|Beløp|Betrag
Profit|Fortjeneste|Gewinn
Profit %|Fortjeneste %|Gewinn %
Probability|Sannsynlighet|Wahrscheinlichkeit
Weighted amount|Vektet beløp|Gewichteter Betrag
Status|Status|Status
Completed|Fullført|Abgeschlossen
Sale type|Salgstype|Verkaufstyp
Source|Kilde|Quelle
Owner|Eier|Besitzer
Description|Beskrivelse|Beschreibung
Project|Prosjekt|Projekt
Project ID|Prosjekt-ID|Projekt-ID
Project type|Prosjekttype|Projekttyp
Project manager|Prosjektleder|Projektleiter
End date|Sluttdato|Enddatum
Next milestone|Neste milepæl|Nächster Meilenstein
Start|Start|Beginn
End|Slutt|Ende
Completed on|Fullført dato|Abgeschlossen am
Type|Type|Typ
Location|Sted|Ort
All day|Hele dagen|Ganztägig
Milestone|Milepæl|Meilenstein
Document|Dokument|Dokument
Document type|Dokumenttype|Dokumenttyp
File name|Filnavn|Dateiname
Our ref.|Vår ref.|Unser Zeichen
Your ref.|Deres ref.|Ihr Zeichen
Attention|Att.|Zu Händen
Selection|Utvalg|Auswahl
Open|Åpen|Offen
Lost|Tapt|Verloren
Stalled|Utsatt|Zurückgestellt
Not started|Ikke startet|Nicht begonnen
Started|Startet|Begonnen
Declined|Avslått|Abgelehnt
Cancelled|Avlyst|Abgesagt
Assigned|Tildelt|Zugewiesen
Invitation|Invitasjon|Einladung
Contact|Firma|Firma
Person|Person|Person
Activity|Aktivitet|Aktivität
not|ikke|nicht
and|og|und
or|eller|oder
begins with|begynner med|beginnt mit
ends with|slutter med|endet mit
contains|inneholder|enthält
is empty|er tom|ist leer
= current user|= gjeldende bruker|= aktueller Benutzer
= current group|= gjeldende gruppe|= aktuelle Gruppe
today|i dag|heute
yesterday|i går|gestern
tomorrow|i morgen|morgen
thisWeek|denne uken|diese Woche
lastWeek|forrige uke|letzte Woche
nextWeek|neste uke|nächste Woche
thisMonth|denne måneden|dieser Monat
lastMonth|forrige måned|letzter Monat
nextMonth|neste måned|nächster Monat
thisYear|i år|dieses Jahr
lastYear|i fjor|letztes Jahr
in the last days:|i løpet av de siste dagene:|in den letzten Tagen:
in the next days:|i løpet av de neste dagene:|in den nächsten Tagen:
"""
_TRANSLATIONS = {
    (english, language): word
    for english, *others in (line.split("|") for line in _TABLE.strip("\n").splitlines())
    for language, word in zip(_COLUMNS, others, strict=True)
}


def translate(english: str, language_code: str) -> str:
    """Return a heading or word in a language, or as it is in English."""
    return _TRANSLATIONS.get((english, language_code.lower().partition("-")[0]), english)
