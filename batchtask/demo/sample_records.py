"""What is going on in the sample CRM: projects, sales, activities, documents, and who may see which of them.

Two user groups, two roles: whoever has "Everything" reads all that is visible, "Own and group" reads sales and
activities of the own group only. A bit ugly on purpose: no names, long names, negative and missing amounts, no dates.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from batchtask import crm7
from batchtask.demo.sample_rows import Row, SampleRows

#: Dates of the sample lie around this day, so that reports of a period always find the same.
TODAY = datetime(2025, 5, 14)
NO_DATE = datetime(1760, 1, 1)
SALES = 220
ACTIVITIES = 320
DOCUMENTS = 40

_CONTACT, _PERSON, _APPOINTMENT, _DOCUMENT, _PROJECT, _SALE, _SELECTION = 5, 6, 9, 10, 11, 13, 23
_HEADINGS = (
    "Autumn catalogue", "Skolebøker 2025", "Nachdruck Märchenbuch", "Συλλογή ποιημάτων", "Podręcznik dla szkół",
    "كتب الأطفال", "儿童图书", "Julekalender – 24 luker", "Reprint (3rd edition)", "R&D <manual> \"A\"",
)  # fmt: skip
_PROJECTS = (
    "Bokmessen i Frankfurt", "New web shop", "Nytt lager på Økern", "Εκδόσεις 2025", "Katalog jesienny",
    "معرض أبوظبي للكتاب", "北京国际图书博览会", "", "A project with a name that is far longer than any column of any "
    "report would ever be, because somebody has written the whole minutes of the first meeting into it",
)  # fmt: skip
_TASKS = (("Meeting", 1), ("Telephone", 5), ("To do", 6), ("Møte hos kunde", 1))
_STATUS_WEIGHTS = (50, 30, 15, 5)


def add_records(rows: SampleRows, chance: Random) -> None:
    """Add lists, users, roles, projects, sales, activities and documents to the companies that are there."""
    _Records(rows, chance).fill()


class _Records:
    def __init__(self, rows: SampleRows, chance: Random) -> None:
        self._rows = rows
        self._chance = chance
        self._companies = [row for row in rows.of(crm7.contact) if not row["deleted"] and not row["deleteddate"]]
        self._people: dict[int, list[int]] = {}
        for person in rows.of(crm7.person):
            self._people.setdefault(person["contact_id"], []).append(person["person_id"])
        self._users = [row for row in rows.of(crm7.associate) if not row["deleted"]]

    def fill(self) -> None:
        self._lists()
        self._sellers()
        self._roles()
        self._selections()
        projects = [self._project(number, name) for number, name in enumerate(_PROJECTS)]
        for number in range(SALES):
            self._sale(number, projects)
        for number in range(ACTIVITIES):
            self._activity(number, projects)
        for number in range(DOCUMENTS):
            self._document(number)

    def _lists(self) -> None:
        add = self._rows.add
        add(crm7.usergroup, name="Management", rank=1)
        self._sales_group = add(crm7.usergroup, name="Sales", rank=2)["usergroup_id"]
        self._tasks = [add(crm7.task, name=name, record_type=kind)["task_id"] for name, kind in _TASKS]
        self._sale_types = [add(crm7.saletype, name=name)["saletype_id"] for name in ("Books", "Licence", "")]
        self._sources = [add(crm7.source, name=name)["source_id"] for name in ("Fair", "Web", "Anbefaling")]
        self._project_types = [add(crm7.projtype, name=name)["projtype_id"] for name in ("Fair", "Internal")]
        self._project_states = [add(crm7.projstatus, name=name)["projstatus_id"] for name in ("Planned", "Running")]
        template = add(crm7.doctmpl, name="Outgoing letter", filename="letter.docx", record_type=2)
        self._template = template["doctmpl_id"]

    def _sellers(self) -> None:
        """Two users of the group Sales, so that there is something that others may not read."""
        for login, first, last in (("MK", "Małgorzata", "Kowalczyk"), ("ØÅ", "Øystein", "Årdal")):
            person = self._rows.add(
                crm7.person, contact_id=self._companies[0]["contact_id"], firstname=first, lastname=last, rank=9
            )
            self._users.append(
                self._rows.add(
                    crm7.associate, name=login, person_id=person["person_id"], type=0, group_idx=self._sales_group
                )
            )
        self._rows.add(crm7.associate, name="LEFT", type=0, group_idx=self._sales_group, deleted=1)

    def _roles(self) -> None:
        everything = self._role("Everything", (0, 1, 2, 3), (0, 1, 2, 3))
        narrow = self._role("Own and group", (0, 1, 2, 3), (0, 1))
        for user in self._users:
            role = narrow if user["group_idx"] == self._sales_group else everything
            self._rows.add(crm7.userrolelink, associate_id=user["associate_id"], role_id=role)

    def _role(self, name: str, people: tuple[int, ...], records: tuple[int, ...]) -> int:
        role = int(self._rows.add(crm7.role, name=name)["role_id"])
        tables = dict.fromkeys((_CONTACT, _PERSON, _PROJECT, _SELECTION), people)
        tables |= dict.fromkeys((_SALE, _APPOINTMENT, _DOCUMENT), records)
        for table, relations in tables.items():
            for relation in relations:
                self._rows.add(crm7.dataright, roleid=role, tableid=table, relationtoowner=relation, crud="CRUD")
        return role

    def _project(self, number: int, name: str) -> Row:
        owner = self._users[number % len(self._users)]
        project = self._rows.add(
            crm7.project,
            name=name,
            project_number=f"P-{number + 1:02}",
            type_idx=self._chance.choice(self._project_types),
            status_idx=self._chance.choice(self._project_states),
            associate_id=owner["associate_id"],
            group_id=owner["group_idx"],
            enddate=TODAY + timedelta(days=30 * number) if number % 4 else NO_DATE,
            done=int(number % 3 == 0),
        )
        for company in self._chance.sample(self._companies, 3):
            self._rows.add(
                crm7.projectmember,
                project_id=project["project_id"],
                contact_id=company["contact_id"],
                person_id=self._person_of(company),
            )
        return project

    def _sale(self, number: int, projects: list[Row]) -> None:
        chance = self._chance
        company, owner = chance.choice(self._companies), chance.choice(self._users)
        status = chance.choices((1, 2, 3, 4), _STATUS_WEIGHTS)[0]
        amount = round(chance.lognormvariate(9, 1.4), 2)
        sale = self._rows.add(
            crm7.sale,
            heading=None if number % 50 == 49 else chance.choice(_HEADINGS),
            number1=f"S-{number + 1:04}",
            contact_id=company["contact_id"] if number % 17 else 0,
            person_id=self._person_of(company),
            project_id=chance.choice(projects)["project_id"] if number % 5 == 0 else 0,
            associate_id=owner["associate_id"],
            group_idx=owner["group_idx"],
            amount=None if number % 40 == 39 else -amount if number % 33 == 32 else amount,
            earning=round(amount * 0.3, 2),
            probability={1: chance.choice((10, 30, 60, 90)), 2: 100, 3: 0, 4: 20}[status],
            status=status,
            done=1 if status == 1 else 2,
            saletype_id=chance.choice((*self._sale_types, 0)),
            source_id=chance.choice((*self._sources, 0)),
            saledate=self._day(-330, 120) if number % 45 else NO_DATE,
        )
        self._show("saleid", _SALE, sale["sale_id"], owner, number)

    def _activity(self, number: int, projects: list[Row]) -> None:
        chance = self._chance
        company, owner = chance.choice(self._companies), chance.choice(self._users)
        day = self._day(-60, 30)
        texts = self._rows.add(crm7.texts, type=4, text=f"{chance.choice(_HEADINGS)}\nAgenda: 1) …\n2) ✓")
        activity = self._rows.add(
            crm7.appointment,
            contact_id=company["contact_id"],
            person_id=self._person_of(company),
            project_id=chance.choice(projects)["project_id"] if number % 6 == 0 else 0,
            associate_id=owner["associate_id"],
            group_idx=owner["group_idx"],
            task_idx=chance.choice(self._tasks),
            type=1,
            status=3 if day < TODAY else 1,
            text_id=texts["text_id"] if number % 3 else 0,
            activedate=day + timedelta(hours=chance.randrange(7, 18)),
            do_by=day,
            enddate=day + timedelta(hours=19),
            location=chance.choice((None, "", "Møterom Øst", "Αθήνα", "Teams")),
        )
        texts["owner_id"] = activity["appointment_id"]
        self._show("appointmentid", _APPOINTMENT, activity["appointment_id"], owner, number)

    def _document(self, number: int) -> None:
        company, owner = self._chance.choice(self._companies), self._chance.choice(self._users)
        document = self._rows.add(
            crm7.document, name=f"letter-{number}.docx", header=self._chance.choice(_HEADINGS), our_ref=f"R{number}"
        )
        activity = self._rows.add(
            crm7.appointment,
            contact_id=company["contact_id"],
            associate_id=owner["associate_id"],
            group_idx=owner["group_idx"],
            task_idx=self._template,
            type=4,
            status=3,
            document_id=document["document_id"],
            activedate=self._day(-200, 0),
        )
        document["appointment_id"] = activity["appointment_id"]
        self._show("appointmentid", _APPOINTMENT, activity["appointment_id"], owner, number)

    def _selections(self) -> None:
        for row in self._rows.of(crm7.selection):
            key = row["selection_id"]
            self._rows.add(crm7.visiblefor, tableid=_SELECTION, recordid=key, selectionid=key, forall=1)

    def _show(self, shortcut: str, table: int, record: int, owner: Row, number: int) -> None:
        """Every tenth record is private, every tenth one for the owner's group; all others are for everybody."""
        shown: dict[str, Any] = {"forall": 1}
        if number % 10 == 8:
            shown = {"forassocid": owner["associate_id"]}
        elif number % 10 == 9:
            shown = {"forgroupid": owner["group_idx"]}
        self._rows.add(crm7.visiblefor, tableid=table, recordid=record, **{shortcut: record}, **shown)

    def _person_of(self, company: Row) -> int:
        return self._chance.choice(self._people.get(company["contact_id"], [0]))

    def _day(self, first: int, last: int) -> datetime:
        return TODAY + timedelta(days=self._chance.randrange(first, last))
