"""The words that the seeded data is made of."""

from __future__ import annotations

# locale: first names, last names, phone, currency, language, country, streets, cities
PEOPLE: dict[str, tuple[str, str, str, str, str, str, str, str]] = {
    "en-GB": (
        "Alice Oliver Grace Harry Imogen Jack Poppy Arthur",
        "Smith Jones Taylor Wright O'Neill Hughes Patel Clarke",
        "+44 7700 900",
        "GBP",
        "en",
        "GB",
        "High Street|Mill Lane|Station Road",
        "London SW1A 1AA|Leeds LS1 4DY|Bath BA1 1LZ",
    ),
    "de-DE": (
        "Jörg Anna Lukas Käthe Felix Sabine Jürgen Mia",
        "Müller Schäfer Weiß Fischer Vogel Krüger Braun König",
        "+49 151 234 56",
        "EUR",
        "de",
        "DE",
        "Lindenstraße|Gartenweg|Am Markt",
        "Köln 50667|Berlin 10115|Lübeck 23552",
    ),
    "fr-FR": (
        "Chloé Hugo Zoé Louis Inès Gaël Élodie Marc",
        "Martin Lefèvre Dubois Moreau Garçon Petit Roux Noël",
        "+33 6 12 34 5",
        "EUR",
        "fr",
        "FR",
        "rue des Lilas|avenue Foch|quai Saint-Michel",
        "Paris 75004|Lyon 69002|Nîmes 30000",
    ),
    "sv-SE": (
        "Ida Nils Åsa Björn Elin Örjan Maja Sven",
        "Berg Lindqvist Åkesson Öberg Ström Nyström Dahl Ek",
        "+46 70 123 4",
        "SEK",
        "sv",
        "SE",
        "Storgatan|Kyrkogatan|Björkvägen",
        "Göteborg 411 24|Malmö 211 20|Umeå 903 26",
    ),
    "pl-PL": (
        "Łukasz Zofia Paweł Agnieszka Michał Żaneta Jan Ewa",
        "Nowak Wójcik Dąbrowska Król Wiśniewski Zając Maj Sikora",
        "+48 601 23 4",
        "EUR",
        "en",
        "PL",
        "ulica Długa|ulica Polna|Rynek",
        "Kraków 31-042|Łódź 90-001|Gdańsk 80-831",
    ),
}

# city, country, latitude, longitude, postcode, streets
CITIES: tuple[tuple[str, str, float, float, str, str], ...] = (
    ("Lisboa", "PT", 38.7223, -9.1393, "1100-0", "Rua do Ouro|Rua Augusta|Travessa da Queimada"),
    ("Paris", "FR", 48.8566, 2.3522, "7500", "rue de Rivoli|boulevard Saint-Germain|rue Cler"),
    ("Berlin", "DE", 52.5200, 13.4050, "1011", "Torstraße|Kastanienallee|Oranienburger Straße"),
    ("Göteborg", "SE", 57.7089, 11.9746, "411 0", "Avenyn|Linnégatan|Haga Nygata"),
    ("Edinburgh", "GB", 55.9533, -3.1883, "EH1 1R", "Royal Mile|Grassmarket|Princes Street"),
    ("Roma", "IT", 41.9028, 12.4964, "0018", "Via Giulia|Via del Corso|Via Margutta"),
    ("Málaga", "ES", 36.7213, -4.4214, "2901", "Calle Larios|Calle Granada|Paseo del Parque"),
    ("Łódź", "PL", 51.7592, 19.4560, "90-00", "Piotrkowska|Ogrodowa|Zachodnia"),
)

HOUSES = (
    "Aurora Bellevue Meridian Compass Old~Post Seagull Grand~Orient Linden Three~Kings Lantern "
    "Albatross Kestrel Moonrise Golden~Anchor Passage Belvédère Quay~House Wanderer Saffron Pilgrim"
)
KINDS = ("Hotel", "Pension", "Inn", "Guesthouse", "Residence")
AMENITIES = (
    "air conditioning",
    "bar",
    "bicycle rental",
    "breakfast",
    "garden",
    "gym",
    "laundry",
    "parking",
    "pets welcome",
    "pool",
    "restaurant",
    "sauna",
    "terrace",
    "wifi",
)
TAGS = ("business", "city break", "design", "family", "old town", "quiet", "romantic", "seaside")
OPENINGS = (
    "A house with creaking stairs and a view that makes up for them.",
    "Small rooms, tall windows, and the best coffee in the street.",
    "Run by the same family for four generations & it shows.",
    "Once a shipping office, now the quietest address in town.",
    "Modern behind an old façade, two minutes from the tram.",
)
CLOSINGS = (
    "Breakfast is served until the last guest is up.",
    "The porter knows every short cut.",
    "Ask for a room on the courtyard; it's “worth it”.",
    "Bicycles stand in the hall.",
    "Late arrivals find the key under the third flower pot.",
)
# code, name, beds, guests, price as per cent of the hotel's base price
ROOMS = (
    ("SGL", "Single", 1, 1, 100),
    ("DBL", "Double", 1, 2, 135),
    ("TWN", "Twin", 2, 2, 135),
    ("FAM", "Family", 3, 4, 190),
    ("STE", "Suite", 2, 3, 260),
)
BOARDS = ("room only", "breakfast", "half board")
RELATIONS = ("partner", "child", "parent", "friend")
DIETS = ("vegetarian", "vegan", "no nuts", "no gluten", "halal")
NOTES = (None, None, None, "late arrival", "quiet room, please", "crème brûlée on the pillow")
