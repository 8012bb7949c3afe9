"""Names of people, companies, streets and towns in ten countries, for the sample CRM."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Locale:
    """How people and places of one country are called."""

    country: str  #: in its own language
    english: str
    code: str
    zip_prefix: str
    layout: int  #: of addresses, see `sample_lists`
    women: tuple[str, ...]
    men: tuple[str, ...]
    surnames: tuple[str, ...]
    ms: str
    mr: str
    streets: tuple[str, ...]  #: `{}` is the house number
    box: str  #: a post-office box, `{}` is its number
    towns: tuple[tuple[str, str], ...]  #: post code and name
    firms: tuple[str, ...]  #: `{}` is a surname
    dial: str
    state: str = ""


NORWAY = Locale(
    country="Norge", english="Norway", code="NO", zip_prefix="N-", layout=1, dial="47",
    women=("Ingrid", "Kari", "Åse", "Solveig", "Marit", "Silje", "Gørild"),
    men=("Bjørn", "Håkon", "Øystein", "Lars", "Sindre", "Kåre", "Terje"),
    surnames=("Hansen", "Ødegård", "Bråten", "Sæther", "Lien", "Nygård", "Haugen", "Tveit", "Løvås"),
    ms="Fru", mr="Herr",
    streets=("Storgata {}", "Kirkeveien {}", "Bjørnsons gate {}", "Havneveien {}", "Åsveien {}"),
    box="Postboks {} Sentrum",
    towns=(("0158", "OSLO"), ("5014", "BERGEN"), ("7011", "TRONDHEIM"), ("9008", "TROMSØ"), ("4006", "STAVANGER")),
    firms=("{} Bokhandel AS", "{} Rør & Varme AS", "{} og Sønner ANS", "Fjord {} Eiendom ASA", "{} Kaffebrenneri AS"),
)  # fmt: skip

GERMANY = Locale(
    country="Deutschland", english="Germany", code="DE", zip_prefix="D-", layout=1, dial="49",
    women=("Käthe", "Ulrike", "Änne", "Sabine", "Franziska"),
    men=("Jürgen", "Björn", "Götz", "Matthias", "Sören", "Günther"),
    surnames=("Müller", "Groß", "Schäfer", "Weiß", "von der Höhe", "Krüger", "Österreicher"),
    ms="Frau", mr="Herr",
    streets=("Königstraße {}", "Am Mühlbach {}", "Schloßplatz {}", "Lindenallee {}"),
    box="Postfach {}",
    towns=(("80331", "München"), ("50667", "Köln"), ("04109", "Leipzig"), ("20095", "Hamburg")),
    firms=("{} GmbH & Co. KG", "Bäckerei {}", "{} Maschinenbau AG", "Gebrüder {} OHG"),
)  # fmt: skip

GREECE = Locale(
    country="Ελλάδα", english="Greece", code="GR", zip_prefix="GR-", layout=1, dial="30",
    women=("Ελένη", "Κατερίνα", "Σοφία", "Δήμητρα"),
    men=("Γιώργος", "Νίκος", "Θεόδωρος", "Ανδρέας"),
    surnames=("Παπαδόπουλος", "Γεωργίου", "Οικονόμου", "Αλεξάνδρου", "Χατζής"),
    ms="Κα", mr="Κος",
    streets=("Οδός Ερμού {}", "Λεωφόρος Συγγρού {}", "Πανεπιστημίου {}"),
    box="Τ.Θ. {}",
    towns=(("105 63", "Αθήνα"), ("546 24", "Θεσσαλονίκη"), ("712 02", "Ηράκλειο")),
    firms=("{} Α.Ε.", "Αφοί {} Ο.Ε.", "Εκδόσεις {}"),
)  # fmt: skip

POLAND = Locale(
    country="Polska", english="Poland", code="PL", zip_prefix="PL-", layout=1, dial="48",
    women=("Małgorzata", "Agnieszka", "Zofia", "Łucja"),
    men=("Paweł", "Stanisław", "Krzysztof", "Józef"),
    surnames=("Wiśniewski", "Wójcik", "Kowalczyk", "Dąbrowski", "Żółkiewski"),
    ms="Pani", mr="Pan",
    streets=("ul. Piłsudskiego {}", "ul. Świętokrzyska {}", "al. Niepodległości {}"),
    box="skr. poczt. {}",
    towns=(("00-001", "Warszawa"), ("31-042", "Kraków"), ("90-001", "Łódź")),
    firms=("{} Sp. z o.o.", "Zakład {} S.A.", "Księgarnia {}"),
)  # fmt: skip

EMIRATES = Locale(
    country="الإمارات العربية المتحدة", english="United Arab Emirates", code="AE",
    zip_prefix="", layout=3, dial="971",
    women=("فاطمة", "مريم", "ليلى", "نور"),
    men=("محمد", "أحمد", "خالد", "يوسف"),
    surnames=("الهاشمي", "النجار", "حداد", "الخطيب"),
    ms="السيدة", mr="السيد",
    streets=("شارع الشيخ زايد {}", "شارع الملك فيصل {}"),
    box="ص.ب. {}",
    towns=(("", "دبي"), ("", "أبوظبي"), ("", "الشارقة")),
    firms=("شركة {} للتجارة", "مكتبة {}"),
)  # fmt: skip

CHINA = Locale(
    country="中国", english="China", code="CN", zip_prefix="", layout=4, dial="86",
    women=("秀英", "丽", "静", "婷婷"),
    men=("伟", "强", "建国", "志明"),
    surnames=("王", "李", "张", "刘", "欧阳"),
    ms="女士", mr="先生",
    streets=("人民路{}号", "中山北路{}号", "长安街{}号"),
    box="邮政信箱{}号",
    towns=(("100000", "北京市"), ("200000", "上海市"), ("510000", "广州市")),
    firms=("{}氏科技有限公司", "{}记书店"),
)  # fmt: skip

BRITAIN = Locale(
    country="United Kingdom", english="United Kingdom", code="GB", zip_prefix="", layout=2, dial="44",
    women=("Siobhán", "Eleanor", "Zoë", "Charlotte"),
    men=("Oliver", "Rhys", "Callum", "George"),
    surnames=("O'Brien", "Smith", "Llewellyn-Jones", "Taylor", "MacDonald"),
    ms="Ms", mr="Mr",
    streets=("{} High Street", "{} Station Road", "{} St Mary's Lane"),
    box="PO Box {}",
    towns=(("SW1A 1AA", "London"), ("EH1 1YZ", "Edinburgh"), ("CF10 1EP", "Cardiff")),
    firms=("{} & Sons Ltd", "{} Books plc", "The {} Partnership"),
)  # fmt: skip

AMERICA = Locale(
    country="United States", english="United States", code="US", zip_prefix="", layout=5, dial="1", state="MA",
    women=("Emily", "Madison", "Grace", "María"),
    men=("Jacob", "Ethan", "Tyler", "José"),
    surnames=("Johnson", "Williams", "García", "Brown", "Fitzgerald"),
    ms="Ms.", mr="Mr.",
    streets=("{} Main Street", "{} Elm Avenue", "{} Massachusetts Ave"),
    box="P.O. Box {}",
    towns=(("01730", "Bedford"), ("02108", "Boston"), ("01960", "Peabody")),
    firms=("{} Inc.", "{} & Associates LLC", "{} Publishing Corp."),
)  # fmt: skip

SWEDEN = Locale(
    country="Sverige", english="Sweden", code="SE", zip_prefix="SE-", layout=1, dial="46",
    women=("Åsa", "Annika", "Elsa", "Märta"),
    men=("Göran", "Åke", "Emil", "Nils"),
    surnames=("Andersson", "Öberg", "Sjöström", "Lindqvist", "Åkerman"),
    ms="Fru", mr="Herr",
    streets=("Drottninggatan {}", "Östra Hamngatan {}", "Kungsgatan {}"),
    box="Box {}",
    towns=(("111 51", "STOCKHOLM"), ("411 09", "GÖTEBORG"), ("211 20", "MALMÖ")),
    firms=("{} Bok AB", "{}s Snickeri HB"),
)  # fmt: skip

DENMARK = Locale(
    country="Danmark", english="Denmark", code="DK", zip_prefix="DK-", layout=1, dial="45",
    women=("Mette", "Søs", "Freja", "Kirsten"),
    men=("Søren", "Jørgen", "Mikkel", "Rasmus"),
    surnames=("Jensen", "Nørgaard", "Østergaard", "Kjær", "Bødker"),
    ms="Fru", mr="Hr.",
    streets=("Strøget {}", "Nørrebrogade {}", "Vestergade {}"),
    box="Postboks {}",
    towns=(("1160", "København K"), ("8000", "Aarhus C"), ("5000", "Odense C")),
    firms=("{} Boghandel ApS", "Brødrene {} A/S"),
)  # fmt: skip

#: The own company's country first.
LOCALES = (NORWAY, SWEDEN, DENMARK, GERMANY, POLAND, GREECE, BRITAIN, AMERICA, EMIRATES, CHINA)
