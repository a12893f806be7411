//! Places: the calls that make handles, each by a number.
//!
//! A program makes its handles in few places, and a server has a slot for each connection: there a number
//! of some bits takes no room of its own, where an address would take a word.

use std::collections::HashMap;
use std::panic::Location;
use std::ptr;

use crate::base::Guarded;

/// Bits of a number.
pub(super) const BITS: u32 = 20;

type Place = &'static Location<'static>;

/// The places that were seen so far.
#[derive(Debug, Default)]
pub(super) struct Places(Guarded<Known>);

#[derive(Debug, Default)]
struct Known {
    places: Vec<Place>,
    /// By the address of the place: quicker than its file and line, and as good.
    numbers: HashMap<*const Location<'static>, usize>,
    /// The number that was asked for last: who accepts a thousand connections does so in one place.
    last: usize,
}

impl Places {
    /// The number of a place.
    #[inline]
    pub(super) fn number(&self, place: Place) -> u64 {
        self.0.with(|known| {
            let is_last = known.places.get(known.last).is_some_and(|last| ptr::eq(*last, place));
            if !is_last {
                known.last = known.look_up(place);
            }
            known.last as u64
        })
    }

    /// The place that has a number.
    pub(super) fn place(&self, number: u64) -> Place {
        self.0.with(|known| known.places[number as usize])
    }
}

impl Known {
    #[cold]
    fn look_up(&mut self, place: Place) -> usize {
        // A million calls in one program: the rest are taken for the first.
        if self.places.len() == 1 << BITS {
            return self.numbers.get(&ptr::from_ref(place)).copied().unwrap_or_default();
        }
        *self.numbers.entry(place).or_insert_with(|| {
            self.places.push(place);
            self.places.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_keeps_its_number() {
        let places = Places::default();
        let here = [(); 3].map(|()| Location::caller());
        let there = Location::caller();
        let numbers = here.map(|place| places.number(place));
        assert_eq!(numbers, [numbers[0]; 3]);
        assert_ne!(places.number(there), numbers[0]);
        assert_eq!(places.number(here[0]), numbers[0]);
        assert_eq!(places.place(numbers[0]), here[0]);
        assert_eq!(places.place(places.number(there)), there);
    }
}
