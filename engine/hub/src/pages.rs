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
pub struct Pages<T> {
    pages: Vec<Vec<T>>,
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Pages<T> {
    /// None.
    pub const fn new() -> Self {
        Self { pages: Vec::new() }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.pages.last().map_or(0, |last| (self.pages.len() - 1) * PAGE + last.len())
    }

    /// Adds an entry in the next place.
    pub fn push(&mut self, value: T) {
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(value),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
        }
    }

    /// Takes the last entry.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.pages.last_mut()?;
        let value = last.pop();
        if last.is_empty() {
            self.pages.pop();
        }
        value
    }

    pub(crate) fn swap(&mut self, a: usize, b: usize) {
        let ((page_a, a), (page_b, b)) = (place(a), place(b));
        match self.pages.get_disjoint_mut([page_a, page_b]) {
            Ok([first, second]) => std::mem::swap(&mut first[a], &mut second[b]),
            Err(_) => self.pages[page_a].swap(a, b),
        }
    }

    /// Adds entries until there is one in this place.
    pub fn reach(&mut self, index: usize, mut make: impl FnMut() -> T) {
        while self.len() <= index {
            self.push(make());
        }
    }

    /// The entry in a place.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        let (page, at) = place(index);
        self.pages.get(page)?.get(at)
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let (page, at) = place(index);
        self.pages.get_mut(page)?.get_mut(at)
    }

    /// All, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }
}

/// The page of an entry, and where it stands there.
#[inline]
const fn place(index: usize) -> (usize, usize) {
    (index >> PAGE_BITS, index & (PAGE - 1))
}

impl<T> std::ops::Index<usize> for Pages<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: usize) -> &T {
        let (page, at) = place(index);
        &self.pages[page][at]
    }
}

impl<T> std::ops::IndexMut<usize> for Pages<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let (page, at) = place(index);
        &mut self.pages[page][at]
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
    fn entries_are_swapped_and_taken_across_pages() {
        let (mut pages, mut twin) = (Pages::new(), Vec::new());
        pages.reach(PAGE, || 0);
        twin.resize(PAGE + 1, 0);
        for (a, b) in [(0, PAGE), (1, 2), (PAGE, 3), (4, 4)] {
            (pages[a], twin[a]) = (a + 1, a + 1);
            pages.swap(a, b);
            twin.swap(a, b);
        }
        assert!(pages.iter().eq(twin.iter()));
        while let Some(last) = twin.pop() {
            assert_eq!(pages.pop(), Some(last));
            assert_eq!(pages.len(), twin.len());
        }
        assert_eq!(pages.pop(), None);
        pages.push(9);
        assert_eq!(pages[0], 9);
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
