"""The data: a SQLite file of made-up movies, always the same ones.

`ensure(path)` writes the file at the first start. A fixed seed makes every machine's data equal, so that two people who look at
the same flame graph look at the same work.
"""

import os
import random
import sqlite3

MOVIES = 2000
RATINGS_PER_MOVIE = 8
SEED = 20

SCHEMA = """
CREATE TABLE movie (id INTEGER PRIMARY KEY, title TEXT NOT NULL, year INTEGER NOT NULL, genre TEXT NOT NULL, plot TEXT NOT NULL);
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE credit (movie_id INTEGER NOT NULL REFERENCES movie, person_id INTEGER NOT NULL REFERENCES person, role TEXT NOT NULL);
CREATE TABLE rating (movie_id INTEGER NOT NULL REFERENCES movie, stars INTEGER NOT NULL);
CREATE INDEX credit_by_movie ON credit (movie_id);
CREATE INDEX rating_by_movie ON rating (movie_id);
"""

GENRES = ("comedy", "crime", "documentary", "drama", "fantasy", "romance", "science fiction", "thriller", "western")
FIRST = ("Ada", "Björn", "Chloé", "Dmitri", "Élodie", "Farah", "Giulia", "Håkon", "Inés", "João", "Kwame", "Łucja", "Mei", "Noor")
LAST = ("Adeyemi", "Brontë", "Castañeda", "Dvořák", "Eriksson", "Fernández", "Grünwald", "Hayashi", "Ivanov", "Kovács", "Lindqvist")
ADJECTIVES = ("Açaí", "Broken", "Crimson", "Distant", "Électric", "Golden", "Hollow", "Inner", "Naïve", "Quiet", "Último")
NOUNS = ("Café", "Daughter", "Empire", "Façade", "Garden", "Harbour", "Island", "Lighthouse", "Mirror", "Señor", "Voyage")
WHO = ("a retired señora", "an honest détective", "the last gärtner", "a naïve pianist", "two smörgåsbord chefs", "an exiled poet")
DOES = ("discovers", "loses", "inherits", "steals", "rebuilds", "betrays", "follows", "forgets", "photographs", "repairs")
WHAT = ("a haunted château", "the family café", "a forged résumé", "an old piñata", "the clichéd manuscript", "a silent fiancée")
WHERE = ("in São Paulo", "near the Øresund", "above a Zürich bank", "beneath the Plaza Mayor", "on the road to Kraków", "at sea")
HOW = ("against all advice", "with borrowed money", "during a long winter", "for the second time", "by mistake")


def ensure(path):
    """Make the file if it is not there; a half-written one is never left behind."""
    if os.path.exists(path):
        return
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    draft = "%s.%d" % (path, os.getpid())
    db = sqlite3.connect(draft)
    try:
        db.executescript(SCHEMA)
        fill(db, random.Random(SEED))
        db.commit()
    finally:
        db.close()
    os.replace(draft, path)


def fill(db, rng):
    people = [(i + 1, "%s %s" % (first, last)) for i, (first, last) in enumerate((f, s) for f in FIRST for s in LAST)]
    db.executemany("INSERT INTO person VALUES (?, ?)", people)
    for movie_id in range(1, MOVIES + 1):
        title = "The %s %s" % (rng.choice(ADJECTIVES), rng.choice(NOUNS))
        db.execute(
            "INSERT INTO movie VALUES (?, ?, ?, ?, ?)",
            (movie_id, title, rng.randint(1930, 2025), rng.choice(GENRES), plot(rng)),
        )
        cast = rng.sample(people, 4)
        roles = ("director", "actor", "actor", "actor")
        db.executemany("INSERT INTO credit VALUES (?, ?, ?)", [(movie_id, who[0], role) for who, role in zip(cast, roles)])
        stars = [(movie_id, rng.randint(1, 5)) for _ in range(RATINGS_PER_MOVIE)]
        db.executemany("INSERT INTO rating VALUES (?, ?)", stars)


def plot(rng):
    sentences = []
    for _ in range(3):
        parts = [rng.choice(words) for words in (WHO, DOES, WHAT, WHERE, HOW)]
        sentences.append(" ".join(parts).capitalize() + ".")
    return " ".join(sentences)
