"""Headings and words in Polish and Greek; see `headings`."""

LANGUAGES = ("pl", "el")
WORDS = """
Company|Firma|Εταιρεία
Company ID|ID firmy|Κωδ. εταιρείας
Department|Dział|Τμήμα
Number|Numer|Αριθμός
Code|Kod|Κωδικός
VAT number|NIP|ΑΦΜ
Category|Kategoria|Κατηγορία
Business|Branża|Κλάδος
Country|Kraj|Χώρα
Country ID|ID kraju|Κωδ. χώρας
Our contact|Nasz kontakt|Υπεύθυνός μας
User group|Grupa użytkowników|Ομάδα χρηστών
Stop|Stop|Διακοπή
No mailings|Bez mailingów|Χωρίς αλληλογραφία
No e-marketing|Bez e-marketingu|Χωρίς e-marketing
Telephone|Telefon|Τηλέφωνο
Mobile|Komórka|Κινητό
Fax|Faks|Φαξ
E-mail|E-mail|E-mail
Web|Strona WWW|Ιστοσελίδα
Address|Adres|Διεύθυνση
Address line 2|Adres, wiersz 2|Διεύθυνση, γραμμή 2
Address line 3|Adres, wiersz 3|Διεύθυνση, γραμμή 3
Postcode|Kod pocztowy|Ταχ. κώδικας
City|Miasto|Πόλη
County|Powiat|Νομός
State|Stan|Πολιτεία
Note|Notatka|Σημείωση
Registered|Zarejestrowano|Καταχωρίστηκε
Registered by|Zarejestrował(a)|Καταχωρίστηκε από
Updated|Zmieniono|Ενημερώθηκε
Updated by|Zmienił(a)|Ενημερώθηκε από
Activities|Działania|Δραστηριότητες
Activity ID|ID działania|Κωδ. δραστηριότητας
Last activity|Ostatnie działanie|Τελευταία δραστηριότητα
Sales|Sprzedaże|Πωλήσεις
Last sale|Ostatnia sprzedaż|Τελευταία πώληση
Open sales|Otwarte sprzedaże|Ανοικτές πωλήσεις
Sold|Sprzedane|Πωλήθηκε
Person ID|ID osoby|Κωδ. προσώπου
First name|Imię|Όνομα
Middle name|Drugie imię|Μεσαίο όνομα
Last name|Nazwisko|Επώνυμο
Name|Nazwa|Όνομα
Mr/Ms|Pan/Pani|Κος/Κα
Title|Tytuł|Τίτλος
Position|Stanowisko|Θέση
Rank|Ranga|Σειρά
Year of birth|Rok urodzenia|Έτος γέννησης
Month of birth|Miesiąc urodzenia|Μήνας γέννησης
Day of birth|Dzień urodzenia|Ημέρα γέννησης
Retired|Odszedł|Αποχώρησε
Has a company|Ma firmę|Έχει εταιρεία
Has a person|Ma osobę|Έχει πρόσωπο
Works elsewhere|Pracuje gdzie indziej|Εργάζεται αλλού
Home address for mail|Adres domowy do korespondencji|Αλληλογραφία στο σπίτι
Sale|Sprzedaż|Πώληση
Sale ID|ID sprzedaży|Κωδ. πώλησης
Date|Data|Ημερομηνία
Next activity|Następne działanie|Επόμενη δραστηριότητα
Reopen|Ponowne otwarcie|Επανάνοιγμα
Amount|Kwota|Ποσό
Profit|Zysk|Κέρδος
Profit %|Zysk %|Κέρδος %
Probability|Prawdopodobieństwo|Πιθανότητα
Weighted amount|Kwota ważona|Σταθμισμένο ποσό
Status|Status|Κατάσταση
Completed|Zakończone|Ολοκληρώθηκε
Sale type|Typ sprzedaży|Τύπος πώλησης
Source|Źródło|Πηγή
Owner|Właściciel|Υπεύθυνος
Description|Opis|Περιγραφή
Project|Projekt|Έργο
Project ID|ID projektu|Κωδ. έργου
Project type|Typ projektu|Τύπος έργου
Project manager|Kierownik projektu|Υπεύθυνος έργου
End date|Data zakończenia|Ημερομηνία λήξης
Next milestone|Następny kamień milowy|Επόμενο ορόσημο
Start|Początek|Έναρξη
End|Koniec|Λήξη
Completed on|Zakończono dnia|Ολοκληρώθηκε στις
Type|Typ|Τύπος
Location|Miejsce|Τοποθεσία
All day|Cały dzień|Όλη μέρα
Milestone|Kamień milowy|Ορόσημο
Document|Dokument|Έγγραφο
Document ID|ID dokumentu|Κωδ. εγγράφου
Document type|Typ dokumentu|Τύπος εγγράφου
File name|Nazwa pliku|Όνομα αρχείου
Our ref.|Nasz znak|Σχετικό μας
Your ref.|Wasz znak|Σχετικό σας
Attention|Do rąk|Υπόψη
Selection|Selekcja|Επιλογή
Selection ID|ID selekcji|Κωδ. επιλογής
Member ID|ID członka|Κωδ. μέλους
Open|Otwarta|Ανοικτή
Lost|Przegrana|Χαμένη
Stalled|Wstrzymana|Σε αναμονή
Not started|Nierozpoczęte|Δεν ξεκίνησε
Started|Rozpoczęte|Ξεκίνησε
Hidden|Ukryte|Κρυφή
Invitation|Zaproszenie|Πρόσκληση
Invitation moved|Zaproszenie przesunięte|Πρόσκληση, μετακινήθηκε
Invitation seen|Zaproszenie odczytane|Πρόσκληση, διαβάστηκε
Invitation moved, seen|Zaproszenie przesunięte, odczytane|Πρόσκληση, μετακινήθηκε, διαβάστηκε
Declined|Odrzucone|Απορρίφθηκε
Cancelled|Odwołane|Ακυρώθηκε
Assigned|Przydzielone|Ανατέθηκε
Assignment seen|Przydział odczytany|Ανάθεση, διαβάστηκε
Assignment declined|Przydział odrzucony|Ανάθεση, απορρίφθηκε
Contact|Firma|Εταιρεία
Person|Osoba|Πρόσωπο
Activity|Działanie|Δραστηριότητα
not|nie|όχι
and|i|και
or|lub|ή
and {count} more|i jeszcze {count}|και άλλα {count}
begins with|zaczyna się od|αρχίζει με
does not begin with|nie zaczyna się od|δεν αρχίζει με
ends with|kończy się na|τελειώνει σε
does not end with|nie kończy się na|δεν τελειώνει σε
contains|zawiera|περιέχει
does not contain|nie zawiera|δεν περιέχει
is empty|jest puste|είναι κενό
is not empty|nie jest puste|δεν είναι κενό
= current user|= bieżący użytkownik|= τρέχων χρήστης
≠ current user|≠ bieżący użytkownik|≠ τρέχων χρήστης
= current group|= bieżąca grupa|= τρέχουσα ομάδα
≠ current group|≠ bieżąca grupa|≠ τρέχουσα ομάδα
today|dzisiaj|σήμερα
yesterday|wczoraj|χθες
tomorrow|jutro|αύριο
before today|przed dzisiaj|πριν από σήμερα
after today|po dzisiaj|μετά από σήμερα
this week|w tym tygodniu|αυτή την εβδομάδα
last week|w zeszłym tygodniu|την προηγούμενη εβδομάδα
next week|w przyszłym tygodniu|την επόμενη εβδομάδα
this month|w tym miesiącu|αυτόν τον μήνα
last month|w zeszłym miesiącu|τον προηγούμενο μήνα
next month|w przyszłym miesiącu|τον επόμενο μήνα
this quarter|w tym kwartale|αυτό το τρίμηνο
last quarter|w zeszłym kwartale|το προηγούμενο τρίμηνο
next quarter|w przyszłym kwartale|το επόμενο τρίμηνο
this half-year|w tym półroczu|αυτό το εξάμηνο
last half-year|w zeszłym półroczu|το προηγούμενο εξάμηνο
next half-year|w przyszłym półroczu|το επόμενο εξάμηνο
this year|w tym roku|φέτος
last year|w zeszłym roku|πέρυσι
next year|w przyszłym roku|του χρόνου
in the last days:|w ostatnich dniach:|τις τελευταίες ημέρες:
in the next days:|w najbliższych dniach:|τις επόμενες ημέρες:
more days ago than:|dawniej niż dni temu:|πριν από περισσότερες ημέρες από:
in more days than:|później niż za dni:|σε περισσότερες ημέρες από:
in this period:|w tym okresie:|σε αυτή την περίοδο:
in the next periods:|w następnych okresach:|στις επόμενες περιόδους:
in the previous periods:|w poprzednich okresach:|στις προηγούμενες περιόδους:
now and next periods:|w tym i następnych:|σε αυτή και τις επόμενες:
now and previous periods:|w tym i poprzednich:|σε αυτή και τις προηγούμενες:
previous, this, next period:|w tym, poprzednim i następnym:|σε αυτή, την προηγούμενη και την επόμενη:
day|dzień|ημέρα
week|tydzień|εβδομάδα
month|miesiąc|μήνας
quarter|kwartał|τρίμηνο
half|półrocze|εξάμηνο
year|rok|έτος
"""
