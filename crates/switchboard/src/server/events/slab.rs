//! The conversations of a loop, by number.
//!
//! **Invariant:** a token names one conversation for ever: the number of a place that is used again
//! comes with another generation, so that a late event of the last one finds nobody.

use crate::server::inbox::Token;

#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    /// Boxed, so that growing moves a word for each and no more.
    value: Option<Box<T>>,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Puts a value in, and gives its token.
    pub(super) fn insert(&mut self, value: T) -> Token {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place { generation: 0, value: None });
            // Memory ends long before numbers do.
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let place = &mut self.places[index as usize];
        place.value = Some(Box::new(value));
        token(place.generation, index)
    }

    pub(super) fn value(&mut self, token: Token) -> Option<&mut T> {
        let place = self.places.get_mut(index(token) as usize)?;
        let is_it = place.generation == generation(token);
        place.value.as_deref_mut().filter(|_| is_it)
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<T> {
        let place = self.places.get_mut(index(token) as usize)?;
        if place.generation != generation(token) {
            return None;
        }
        let value = place.value.take()?;
        // One bit is kept for the loop's own keys.
        place.generation = (place.generation + 1) & (u32::MAX >> 1);
        self.free.push(index(token));
        Some(*value)
    }

    /// The token of whatever is at that place now.
    pub(super) fn token_at(&self, index: u32) -> Option<Token> {
        let place = self.places.get(index as usize)?;
        place.value.is_some().then(|| token(place.generation, index))
    }

    pub(super) fn tokens(&self) -> impl Iterator<Item = Token> {
        let taken = (0..).zip(&self.places).filter(|(_, place)| place.value.is_some());
        taken.map(|(index, place)| token(place.generation, index))
    }
}

fn token(generation: u32, index: u32) -> Token {
    u64::from(generation) << 32 | u64::from(index)
}

#[expect(clippy::cast_possible_truncation, reason = "the generation above it is masked away")]
pub(super) fn index(token: Token) -> u32 {
    (token & u64::from(u32::MAX)) as u32
}

fn generation(token: Token) -> u32 {
    (token >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_outlives_its_conversation_and_names_no_other() {
        let mut slab = Slab::new();
        let first = slab.insert("first");
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second");
        assert_eq!(index(first), index(second));
        assert_eq!(slab.value(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.value(second).copied(), Some("second"));
        assert_eq!(slab.tokens().collect::<Vec<_>>(), [second]);
        assert_eq!(slab.len(), 1);
    }
}
