"""What the statements are checked on: random contractions, words of finitely many maps, polynomial fields."""
