"""What the service knows about movies: one method a question.

A `Library` belongs to one thread (SQLite connections do); the server opens one for each of its threads.
"""

import heapq
import re
import sqlite3
import unicodedata

WORD = re.compile(r"[a-z0-9]+")
STOP_WORDS = frozenset("a all an at by for in last near old on the to while with".split())


class NotFound(Exception):
    """There is no such movie."""


class Library:
    def __init__(self, path):
        self.db = sqlite3.connect(path, timeout=5)
        self.db.row_factory = sqlite3.Row

    def search(self, text, limit=20):
        """Movies whose title or plot contains the text, best rated first."""
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self.db.execute(
            "SELECT movie.id, title, year, genre, avg(stars) AS stars FROM movie JOIN rating ON movie_id = movie.id"
            " WHERE title LIKE ? ESCAPE '\\' OR plot LIKE ? ESCAPE '\\'"
            " GROUP BY movie.id ORDER BY stars DESC, title LIMIT ?",
            (pattern, pattern, limit),
        )
        return [dict(row) for row in rows]

    def movie(self, movie_id):
        """One movie with its people and its rating."""
        row = self.db.execute("SELECT * FROM movie WHERE id = ?", (movie_id,)).fetchone()
        if row is None:
            raise NotFound("there is no movie %d" % movie_id)
        people = self.db.execute(
            "SELECT name, role FROM credit JOIN person ON person.id = person_id WHERE movie_id = ?", (movie_id,)
        )
        stars, votes = self.db.execute("SELECT avg(stars), count(*) FROM rating WHERE movie_id = ?", (movie_id,)).fetchone()
        return dict(row, people=[dict(person) for person in people], stars=stars, votes=votes)

    def recommendations(self, movie_id, limit=10):
        """The movies whose plots have most in common with this one's."""
        movie = self.movie(movie_id)
        others = self.db.execute("SELECT id, title, year, plot FROM movie WHERE id != ?", (movie_id,))
        scored = ((similarity(movie["plot"], other["plot"]), other) for other in others)
        best = heapq.nlargest(limit, scored, key=lambda pair: pair[0])
        return [{"id": row["id"], "title": row["title"], "year": row["year"], "score": round(score, 3)} for score, row in best]

    def stats(self):
        """Movies and stars by genre."""
        rows = self.db.execute(
            "SELECT genre, count(DISTINCT movie.id) AS movies, avg(stars) AS stars"
            " FROM movie JOIN rating ON movie_id = movie.id GROUP BY genre ORDER BY genre"
        )
        return [dict(row) for row in rows]

    def rate(self, movie_id, stars):
        """Add a rating. It is on the disk when this returns."""
        self.movie(movie_id)
        with self.db:
            self.db.execute("INSERT INTO rating VALUES (?, ?)", (movie_id, stars))


def similarity(one, other):
    """The share of keywords that two texts have in common, 0 to 1."""
    a, b = keywords(one), keywords(other)
    return len(a & b) / len(a | b)


def keywords(text):
    """The words that carry meaning, without case and accents: "Le Château" and "chateau" meet."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return frozenset(word for word in WORD.findall(plain) if word not in STOP_WORDS)
