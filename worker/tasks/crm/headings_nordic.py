"""Headings and words in Norwegian, Danish and Swedish; see `headings`."""

LANGUAGES = ("nb", "da", "sv")
WORDS = """
Company|Firma|Firma|Företag
Company ID|Firma-ID|Firma-id|Företags-ID
Department|Avdeling|Afdeling|Avdelning
Number|Nummer|Nummer|Nummer
Code|Kode|Kode|Kod
VAT number|Org.nr.|CVR-nr.|Org.nr
Category|Kategori|Kategori|Kategori
Business|Bransje|Branche|Bransch
Country|Land|Land|Land
Country ID|Land-ID|Lande-id|Lands-ID
Our contact|Vår kontakt|Vores kontakt|Vår kontakt
User group|Brukergruppe|Brugergruppe|Användargrupp
Stop|Stopp|Stop|Stopp
No mailings|Ingen utsendelser|Ingen forsendelser|Inga utskick
No e-marketing|Ingen e-markedsføring|Ingen e-markedsføring|Ingen e-marknadsföring
Telephone|Telefon|Telefon|Telefon
Mobile|Mobil|Mobil|Mobil
Fax|Faks|Fax|Fax
E-mail|E-post|E-mail|E-post
Web|Nettsted|Websted|Webbplats
Address|Adresse|Adresse|Adress
Address line 2|Adresselinje 2|Adresselinje 2|Adressrad 2
Address line 3|Adresselinje 3|Adresselinje 3|Adressrad 3
Postcode|Postnummer|Postnummer|Postnummer
City|Sted|By|Ort
County|Fylke|Region|Län
State|Delstat|Delstat|Delstat
Note|Notat|Notat|Anteckning
Registered|Registrert|Registreret|Registrerad
Registered by|Registrert av|Registreret af|Registrerad av
Updated|Oppdatert|Opdateret|Uppdaterad
Updated by|Oppdatert av|Opdateret af|Uppdaterad av
Activities|Aktiviteter|Aktiviteter|Aktiviteter
Activity ID|Aktivitets-ID|Aktivitets-id|Aktivitets-ID
Last activity|Siste aktivitet|Seneste aktivitet|Senaste aktivitet
Sales|Salg|Salg|Försäljningar
Last sale|Siste salg|Seneste salg|Senaste försäljning
Open sales|Åpne salg|Åbne salg|Öppna försäljningar
Sold|Solgt|Solgt|Såld
Person ID|Person-ID|Person-id|Person-ID
First name|Fornavn|Fornavn|Förnamn
Middle name|Mellomnavn|Mellemnavn|Mellannamn
Last name|Etternavn|Efternavn|Efternamn
Name|Navn|Navn|Namn
Mr/Ms|Tiltale|Tiltale|Tilltal
Title|Tittel|Titel|Titel
Position|Stilling|Stilling|Befattning
Rank|Rang|Rang|Rang
Year of birth|Fødselsår|Fødselsår|Födelseår
Month of birth|Fødselsmåned|Fødselsmåned|Födelsemånad
Day of birth|Fødselsdag|Fødselsdag|Födelsedag
Retired|Sluttet|Fratrådt|Slutat
Has a company|Har firma|Har firma|Har företag
Has a person|Har person|Har person|Har person
Works elsewhere|Arbeider et annet sted|Arbejder et andet sted|Arbetar någon annanstans
Home address for mail|Privatadresse for post|Privatadresse til post|Hemadress för post
Sale|Salg|Salg|Försäljning
Sale ID|Salgs-ID|Salgs-id|Försäljnings-ID
Date|Dato|Dato|Datum
Next activity|Neste aktivitet|Næste aktivitet|Nästa aktivitet
Reopen|Gjenåpnes|Genåbnes|Återöppnas
Amount|Beløp|Beløb|Belopp
Profit|Fortjeneste|Fortjeneste|Vinst
Profit %|Fortjeneste %|Fortjeneste %|Vinst %
Probability|Sannsynlighet|Sandsynlighed|Sannolikhet
Weighted amount|Vektet beløp|Vægtet beløb|Viktat belopp
Status|Status|Status|Status
Completed|Fullført|Fuldført|Slutförd
Sale type|Salgstype|Salgstype|Försäljningstyp
Source|Kilde|Kilde|Källa
Owner|Eier|Ejer|Ägare
Description|Beskrivelse|Beskrivelse|Beskrivning
Project|Prosjekt|Projekt|Projekt
Project ID|Prosjekt-ID|Projekt-id|Projekt-ID
Project type|Prosjekttype|Projekttype|Projekttyp
Project manager|Prosjektleder|Projektleder|Projektledare
End date|Sluttdato|Slutdato|Slutdatum
Next milestone|Neste milepæl|Næste milepæl|Nästa milstolpe
Start|Start|Start|Start
End|Slutt|Slut|Slut
Completed on|Fullført dato|Fuldført dato|Slutförd datum
Type|Type|Type|Typ
Location|Sted|Sted|Plats
All day|Hele dagen|Hele dagen|Hela dagen
Milestone|Milepæl|Milepæl|Milstolpe
Document|Dokument|Dokument|Dokument
Document ID|Dokument-ID|Dokument-id|Dokument-ID
Document type|Dokumenttype|Dokumenttype|Dokumenttyp
File name|Filnavn|Filnavn|Filnamn
Our ref.|Vår ref.|Vores ref.|Vår ref.
Your ref.|Deres ref.|Deres ref.|Er ref.
Attention|Att.|Att.|Att.
Selection|Utvalg|Udvalg|Urval
Selection ID|Utvalgs-ID|Udvalgs-id|Urvals-ID
Member ID|Medlems-ID|Medlems-id|Medlems-ID
Open|Åpen|Åben|Öppen
Lost|Tapt|Tabt|Förlorad
Stalled|Utsatt|Udsat|Uppskjuten
Not started|Ikke startet|Ikke startet|Inte påbörjad
Started|Startet|Startet|Påbörjad
Hidden|Skjult|Skjult|Dold
Invitation|Invitasjon|Invitation|Inbjudan
Invitation moved|Invitasjon flyttet|Invitation flyttet|Inbjudan flyttad
Invitation seen|Invitasjon sett|Invitation set|Inbjudan sedd
Invitation moved, seen|Invitasjon flyttet, sett|Invitation flyttet, set|Inbjudan flyttad, sedd
Declined|Avslått|Afvist|Avböjd
Cancelled|Avlyst|Aflyst|Inställd
Assigned|Tildelt|Tildelt|Tilldelad
Assignment seen|Tildeling sett|Tildeling set|Tilldelning sedd
Assignment declined|Tildeling avslått|Tildeling afvist|Tilldelning avböjd
Contact|Firma|Firma|Företag
Person|Person|Person|Person
Activity|Aktivitet|Aktivitet|Aktivitet
not|ikke|ikke|inte
and|og|og|och
or|eller|eller|eller
and {count} more|og {count} til|og {count} til|och {count} till
begins with|begynner med|begynder med|börjar med
does not begin with|begynner ikke med|begynder ikke med|börjar inte med
ends with|slutter med|slutter med|slutar med
does not end with|slutter ikke med|slutter ikke med|slutar inte med
contains|inneholder|indeholder|innehåller
does not contain|inneholder ikke|indeholder ikke|innehåller inte
is empty|er tom|er tom|är tom
is not empty|er ikke tom|er ikke tom|är inte tom
= current user|= gjeldende bruker|= aktuel bruger|= aktuell användare
≠ current user|≠ gjeldende bruker|≠ aktuel bruger|≠ aktuell användare
= current group|= gjeldende gruppe|= aktuel gruppe|= aktuell grupp
≠ current group|≠ gjeldende gruppe|≠ aktuel gruppe|≠ aktuell grupp
today|i dag|i dag|i dag
yesterday|i går|i går|i går
tomorrow|i morgen|i morgen|i morgon
before today|før i dag|før i dag|före i dag
after today|etter i dag|efter i dag|efter i dag
this week|denne uken|denne uge|denna vecka
last week|forrige uke|sidste uge|förra veckan
next week|neste uke|næste uge|nästa vecka
this month|denne måneden|denne måned|denna månad
last month|forrige måned|sidste måned|förra månaden
next month|neste måned|næste måned|nästa månad
this quarter|dette kvartalet|dette kvartal|detta kvartal
last quarter|forrige kvartal|sidste kvartal|förra kvartalet
next quarter|neste kvartal|næste kvartal|nästa kvartal
this half-year|dette halvåret|dette halvår|detta halvår
last half-year|forrige halvår|sidste halvår|förra halvåret
next half-year|neste halvår|næste halvår|nästa halvår
this year|i år|i år|i år
last year|i fjor|sidste år|förra året
next year|neste år|næste år|nästa år
in the last days:|i løpet av de siste dagene:|i de seneste dage:|under de senaste dagarna:
in the next days:|i løpet av de neste dagene:|i de næste dage:|under de närmaste dagarna:
more days ago than:|for flere dager siden enn:|for flere dage siden end:|för fler dagar sedan än:
in more days than:|om flere dager enn:|om flere dage end:|om fler dagar än:
in this period:|i denne perioden:|i denne periode:|i denna period:
in the next periods:|i de neste periodene:|i de næste perioder:|i de nästa perioderna:
in the previous periods:|i de forrige periodene:|i de forrige perioder:|i de förra perioderna:
now and next periods:|nå og de neste periodene:|nu og de næste perioder:|nu och de nästa perioderna:
now and previous periods:|nå og de forrige periodene:|nu og de forrige perioder:|nu och de förra perioderna:
previous, this, next period:|forrige, denne, neste periode:|forrige, denne, næste periode:|förra, denna, nästa period:
day|dag|dag|dag
week|uke|uge|vecka
month|måned|måned|månad
quarter|kvartal|kvartal|kvartal
half|halvår|halvår|halvår
year|år|år|år
"""
