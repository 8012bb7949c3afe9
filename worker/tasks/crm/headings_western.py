"""Headings and words in German, Dutch and French; see `headings`."""

LANGUAGES = ("de", "nl", "fr")
WORDS = """
Company|Firma|Bedrijf|Société
Company ID|Firmen-ID|Bedrijfs-ID|ID de société
Department|Abteilung|Afdeling|Service
Number|Nummer|Nummer|Numéro
Code|Code|Code|Code
VAT number|USt-IdNr.|Btw-nummer|N° de TVA
Category|Kategorie|Categorie|Catégorie
Business|Branche|Branche|Secteur
Country|Land|Land|Pays
Country ID|Länder-ID|Land-ID|ID de pays
Our contact|Unser Kontakt|Onze contactpersoon|Notre contact
User group|Benutzergruppe|Gebruikersgroep|Groupe d’utilisateurs
Stop|Stopp|Stop|Stop
No mailings|Keine Mailings|Geen mailings|Pas de mailings
No e-marketing|Kein E-Marketing|Geen e-marketing|Pas d’e-marketing
Telephone|Telefon|Telefoon|Téléphone
Mobile|Mobil|Mobiel|Mobile
Fax|Fax|Fax|Fax
E-mail|E-Mail|E-mail|E-mail
Web|Web|Website|Site web
Address|Adresse|Adres|Adresse
Address line 2|Adresszeile 2|Adresregel 2|Adresse, ligne 2
Address line 3|Adresszeile 3|Adresregel 3|Adresse, ligne 3
Postcode|PLZ|Postcode|Code postal
City|Ort|Plaats|Ville
County|Landkreis|Provincie|Département
State|Bundesland|Staat|État
Note|Notiz|Notitie|Note
Registered|Erfasst|Geregistreerd|Créé
Registered by|Erfasst von|Geregistreerd door|Créé par
Updated|Geändert|Gewijzigd|Modifié
Updated by|Geändert von|Gewijzigd door|Modifié par
Activities|Aktivitäten|Activiteiten|Activités
Activity ID|Aktivitäts-ID|Activiteit-ID|ID d’activité
Last activity|Letzte Aktivität|Laatste activiteit|Dernière activité
Sales|Verkäufe|Verkopen|Ventes
Last sale|Letzter Verkauf|Laatste verkoop|Dernière vente
Open sales|Offene Verkäufe|Open verkopen|Ventes en cours
Sold|Verkauft|Verkocht|Vendu
Person ID|Personen-ID|Persoon-ID|ID de personne
First name|Vorname|Voornaam|Prénom
Middle name|Zweiter Vorname|Tweede naam|Deuxième prénom
Last name|Nachname|Achternaam|Nom
Name|Name|Naam|Nom
Mr/Ms|Anrede|Aanhef|Civilité
Title|Titel|Titel|Titre
Position|Position|Functie|Fonction
Rank|Rang|Rang|Rang
Year of birth|Geburtsjahr|Geboortejaar|Année de naissance
Month of birth|Geburtsmonat|Geboortemaand|Mois de naissance
Day of birth|Geburtstag|Geboortedag|Jour de naissance
Retired|Ausgeschieden|Uit dienst|Parti
Has a company|Hat eine Firma|Heeft een bedrijf|A une société
Has a person|Hat eine Person|Heeft een persoon|A une personne
Works elsewhere|Arbeitet woanders|Werkt elders|Travaille ailleurs
Home address for mail|Privatadresse für Post|Privéadres voor post|Adresse privée pour le courrier
Sale|Verkauf|Verkoop|Vente
Sale ID|Verkaufs-ID|Verkoop-ID|ID de vente
Date|Datum|Datum|Date
Next activity|Nächste Aktivität|Volgende activiteit|Prochaine activité
Reopen|Wiedervorlage|Heropenen|Réouverture
Amount|Betrag|Bedrag|Montant
Profit|Gewinn|Winst|Marge
Profit %|Gewinn %|Winst %|Marge %
Probability|Wahrscheinlichkeit|Waarschijnlijkheid|Probabilité
Weighted amount|Gewichteter Betrag|Gewogen bedrag|Montant pondéré
Status|Status|Status|Statut
Completed|Abgeschlossen|Voltooid|Terminé
Sale type|Verkaufstyp|Verkooptype|Type de vente
Source|Quelle|Bron|Source
Owner|Besitzer|Eigenaar|Propriétaire
Description|Beschreibung|Beschrijving|Description
Project|Projekt|Project|Projet
Project ID|Projekt-ID|Project-ID|ID de projet
Project type|Projekttyp|Projecttype|Type de projet
Project manager|Projektleiter|Projectleider|Chef de projet
End date|Enddatum|Einddatum|Date de fin
Next milestone|Nächster Meilenstein|Volgende mijlpaal|Prochain jalon
Start|Beginn|Begin|Début
End|Ende|Einde|Fin
Completed on|Abgeschlossen am|Voltooid op|Terminé le
Type|Typ|Type|Type
Location|Ort|Locatie|Lieu
All day|Ganztägig|Hele dag|Toute la journée
Milestone|Meilenstein|Mijlpaal|Jalon
Document|Dokument|Document|Document
Document ID|Dokument-ID|Document-ID|ID de document
Document type|Dokumenttyp|Documenttype|Type de document
File name|Dateiname|Bestandsnaam|Nom de fichier
Our ref.|Unser Zeichen|Onze ref.|Notre réf.
Your ref.|Ihr Zeichen|Uw ref.|Votre réf.
Attention|Zu Händen|Ter attentie van|À l’attention de
Selection|Auswahl|Selectie|Sélection
Selection ID|Auswahl-ID|Selectie-ID|ID de sélection
Member ID|Mitglieds-ID|Lid-ID|ID de membre
Open|Offen|Open|En cours
Lost|Verloren|Verloren|Perdu
Stalled|Zurückgestellt|Uitgesteld|Suspendu
Not started|Nicht begonnen|Niet begonnen|Non commencé
Started|Begonnen|Begonnen|Commencé
Hidden|Verborgen|Verborgen|Masqué
Invitation|Einladung|Uitnodiging|Invitation
Invitation moved|Einladung verschoben|Uitnodiging verplaatst|Invitation déplacée
Invitation seen|Einladung gesehen|Uitnodiging gezien|Invitation vue
Invitation moved, seen|Einladung verschoben, gesehen|Uitnodiging verplaatst, gezien|Invitation déplacée, vue
Declined|Abgelehnt|Afgewezen|Refusé
Cancelled|Abgesagt|Geannuleerd|Annulé
Assigned|Zugewiesen|Toegewezen|Attribué
Assignment seen|Zuweisung gesehen|Toewijzing gezien|Attribution vue
Assignment declined|Zuweisung abgelehnt|Toewijzing afgewezen|Attribution refusée
Contact|Firma|Bedrijf|Société
Person|Person|Persoon|Personne
Activity|Aktivität|Activiteit|Activité
not|nicht|niet|pas
and|und|en|et
or|oder|of|ou
and {count} more|und {count} weitere|en nog {count}|et {count} autres
begins with|beginnt mit|begint met|commence par
does not begin with|beginnt nicht mit|begint niet met|ne commence pas par
ends with|endet mit|eindigt op|se termine par
does not end with|endet nicht mit|eindigt niet op|ne se termine pas par
contains|enthält|bevat|contient
does not contain|enthält nicht|bevat niet|ne contient pas
is empty|ist leer|is leeg|est vide
is not empty|ist nicht leer|is niet leeg|n’est pas vide
= current user|= aktueller Benutzer|= huidige gebruiker|= utilisateur actuel
≠ current user|≠ aktueller Benutzer|≠ huidige gebruiker|≠ utilisateur actuel
= current group|= aktuelle Gruppe|= huidige groep|= groupe actuel
≠ current group|≠ aktuelle Gruppe|≠ huidige groep|≠ groupe actuel
today|heute|vandaag|aujourd’hui
yesterday|gestern|gisteren|hier
tomorrow|morgen|morgen|demain
before today|vor heute|voor vandaag|avant aujourd’hui
after today|nach heute|na vandaag|après aujourd’hui
this week|diese Woche|deze week|cette semaine
last week|letzte Woche|vorige week|la semaine dernière
next week|nächste Woche|volgende week|la semaine prochaine
this month|dieser Monat|deze maand|ce mois
last month|letzter Monat|vorige maand|le mois dernier
next month|nächster Monat|volgende maand|le mois prochain
this quarter|dieses Quartal|dit kwartaal|ce trimestre
last quarter|letztes Quartal|vorig kwartaal|le trimestre dernier
next quarter|nächstes Quartal|volgend kwartaal|le trimestre prochain
this half-year|dieses Halbjahr|dit halfjaar|ce semestre
last half-year|letztes Halbjahr|vorig halfjaar|le semestre dernier
next half-year|nächstes Halbjahr|volgend halfjaar|le semestre prochain
this year|dieses Jahr|dit jaar|cette année
last year|letztes Jahr|vorig jaar|l’année dernière
next year|nächstes Jahr|volgend jaar|l’année prochaine
in the last days:|in den letzten Tagen:|in de laatste dagen:|dans les derniers jours :
in the next days:|in den nächsten Tagen:|in de komende dagen:|dans les prochains jours :
more days ago than:|vor mehr Tagen als:|meer dagen geleden dan:|il y a plus de jours que :
in more days than:|in mehr Tagen als:|over meer dagen dan:|dans plus de jours que :
in this period:|in dieser Periode:|in deze periode:|dans cette période :
in the next periods:|in den nächsten Perioden:|in de volgende perioden:|dans les prochaines périodes :
in the previous periods:|in den vorigen Perioden:|in de vorige perioden:|dans les périodes précédentes :
now and next periods:|in dieser und den nächsten:|in deze en de volgende:|dans celle-ci et les suivantes :
now and previous periods:|in dieser und den vorigen:|in deze en de vorige:|dans celle-ci et les précédentes :
previous, this, next period:|vorige, diese, nächste:|vorige, deze, volgende:|précédente, cette, suivante :
day|Tag|dag|jour
week|Woche|week|semaine
month|Monat|maand|mois
quarter|Quartal|kwartaal|trimestre
half|Halbjahr|halfjaar|semestre
year|Jahr|jaar|an
"""
