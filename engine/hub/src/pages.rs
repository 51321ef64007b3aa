//! A table that grows a page at a time: an entry never moves, so growing copies nothing.
//!
//! Not a slab: places are given by others (the kernel's slots, [`crate::table`]). A vector that doubles holds its old half and its new
//! whole at the same moment, and allocators keep what it leaves behind: with 20 000 connections that was a third of all memory; and
//! the one connection that makes it double waits for the copy. A page costs one more load, from a list that lies in the
//! first-level cache.

/// Entries of a page: enough that the list of pages stays short, few enough that one page is no burden to a small server.
const PAGE: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 9;

/// Entries by their places, from 0.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Pages<T> {
    pub(crate) const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    pub(crate) fn push(&mut self, value: T) {
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(value),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
        }
    }

    /// Adds entries until there is one in this place.
    pub(crate) fn reach(&mut self, index: usize, mut make: impl FnMut() -> T) {
        while self.len() <= index {
            self.push(make());
        }
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index >> PAGE_BITS)?.get(index & (PAGE - 1))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index >> PAGE_BITS)?.get_mut(index & (PAGE - 1))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

impl<T> std::ops::Index<usize> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.pages[index >> PAGE_BITS][index & (PAGE - 1)]
    }
}

impl<T> std::ops::IndexMut<usize> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut self.pages[index >> PAGE_BITS][index & (PAGE - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_a_vector() {
        let (mut pages, mut twin) = (Pages::new(), Vec::new());
        for i in 0..PAGE * 2 + 3 {
            assert_eq!(pages.len(), twin.len());
            pages.push(i);
            twin.push(i);
        }
        assert!(pages.iter().eq(twin.iter()));
        for index in [0, PAGE - 1, PAGE, PAGE * 2 + 2, PAGE * 2 + 3, PAGE * 9] {
            assert_eq!(pages.get(index), twin.get(index));
        }
        pages[PAGE] = 7;
        assert_eq!(pages.get_mut(PAGE), Some(&mut 7));
    }

    #[test]
    fn an_entry_never_moves() {
        let mut pages = Pages::new();
        pages.push(1);
        let before = std::ptr::from_ref(&pages[0]);
        pages.reach(PAGE * 3, || 2);
        assert_eq!(std::ptr::from_ref(&pages[0]), before);
        assert_eq!(pages.len(), PAGE * 3 + 1);
        pages.reach(5, || 3);
        assert_eq!(pages.len(), PAGE * 3 + 1);
    }
}
