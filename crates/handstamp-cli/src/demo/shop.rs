//! What the demo sells, how much of it is left, and who bought what. In memory: it starts anew
//! with the program; only sessions are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::iter::Sum;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cart::{Cart, Item};

/// An amount of money, in cents of a euro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cents(u32);

impl Cents {
    /// So many times this amount.
    pub(super) const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).fold(0, u32::saturating_add))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "€{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Something to buy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Product {
    /// Its name in forms and carts.
    pub(super) slug: &'static str,
    /// Its name to people.
    pub(super) name: &'static str,
    /// What sort of thing it is.
    pub(super) sort: &'static str,
    /// One sentence about it.
    pub(super) about: &'static str,
    /// What one costs.
    pub(super) price: Cents,
    /// How many there are when the shop opens.
    at_opening: u32,
    /// Its picture, as SVG.
    pub(super) art: &'static str,
}

macro_rules! art {
    ($name:literal) => {
        include_str!(concat!("../../assets/art/", $name, ".svg"))
    };
}

/// Everything on the shelves.
pub(super) const PRODUCTS: [Product; 8] = [
    Product {
        slug: "night-fair",
        name: "Opening Night",
        sort: "Screen print, 50 × 70 cm",
        about: "Three inks on heavy paper. The wheel turns if you walk past it slowly.",
        price: Cents(24_00),
        at_opening: 12,
        art: art!("poster"),
    },
    Product {
        slug: "second-row",
        name: "Second Row, Left",
        sort: "7-inch record, 45 rpm",
        about: "Recorded in one take behind the carousel. Side B is mostly rain.",
        price: Cents(12_50),
        at_opening: 20,
        art: art!("record"),
    },
    Product {
        slug: "smoke-orchard",
        name: "Smoke & Orchard",
        sort: "Black tea, 100 g tin",
        about: "Lapsang with dried apple: a bonfire, one field away.",
        price: Cents(11_00),
        at_opening: 16,
        art: art!("tea"),
    },
    Product {
        slug: "gate-stamp",
        name: "The Gate Stamp",
        sort: "Beech and rubber",
        about: "The very stamp from gate nine. Gets you back in, if anybody asks.",
        price: Cents(9_00),
        at_opening: 9,
        art: art!("stamp"),
    },
    Product {
        slug: "lantern",
        name: "Walking Lantern",
        sort: "Tin, for one candle",
        about: "For the way home, when the last tram has gone without you.",
        price: Cents(19_00),
        at_opening: 6,
        art: art!("lantern"),
    },
    Product {
        slug: "stub-book",
        name: "Book of Stubs",
        sort: "Notebook, 96 pages",
        about: "Every page has a pocket. Keep the half they hand you back.",
        price: Cents(8_50),
        at_opening: 24,
        art: art!("notebook"),
    },
    Product {
        slug: "moth-pin",
        name: "Lamplighter",
        sort: "Enamel pin, 28 mm",
        about: "A moth for your collar. Drawn to good company.",
        price: Cents(6_00),
        at_opening: 40,
        art: art!("pin"),
    },
    Product {
        slug: "ink-pad",
        name: "Vermilion",
        sort: "Ink pad in a slide tin",
        about: "Washes off after two days; the evening stays a little longer.",
        price: Cents(7_00),
        at_opening: 18,
        art: art!("inkpad"),
    },
];

/// The product with this name in forms.
pub(super) fn find(slug: &str) -> Option<&'static Product> {
    PRODUCTS.iter().find(|product| product.slug == slug)
}

/// Something that was bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    /// Counted through the shop.
    pub(super) number: u32,
    /// Who bought it.
    pub(super) buyer: String,
    /// "2 × Lamplighter, 1 × Vermilion".
    pub(super) words: String,
    /// What was paid.
    pub(super) total: Cents,
}

/// What became of an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// It stands; also when the same order was sent twice.
    Done,
    /// There is not enough left of this.
    SoldOut(&'static str),
    /// There is nothing in it.
    Empty,
}

/// Shelves and order book.
#[derive(Debug)]
pub(super) struct Shop {
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    left: BTreeMap<&'static str, u32>,
    orders: Vec<Order>,
    next_number: u32,
}

impl Shop {
    /// Full shelves, no orders.
    pub(super) fn open() -> Self {
        let left = PRODUCTS.iter().map(|product| (product.slug, product.at_opening)).collect();
        Self { books: Mutex::new(Books { left, orders: Vec::new(), next_number: 1041 }) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of `slug` are on the shelf.
    pub(super) fn left(&self, slug: &str) -> u32 {
        self.books().left.get(slug).copied().unwrap_or(0)
    }

    /// Puts `count` more of `slug` on the shelf.
    pub(super) fn restock(&self, slug: &str, count: u32) {
        if let Some(left) = self.books().left.get_mut(slug) {
            *left = left.saturating_add(count).min(999);
        }
    }

    /// A number for an order that is about to be placed: it tells the same order sent twice from
    /// two orders.
    pub(super) fn next_number(&self) -> u32 {
        let mut books = self.books();
        books.next_number += 1;
        books.next_number
    }

    /// Takes what is in `cart` off the shelves for `buyer`.
    pub(super) fn place(&self, number: u32, buyer: &str, cart: &Cart) -> Placed {
        let mut books = self.books();
        if books.orders.iter().any(|order| order.number == number && order.buyer == buyer) {
            return Placed::Done;
        }
        let items = cart.items();
        if items.is_empty() {
            return Placed::Empty;
        }
        if let Some(short) = items.iter().find(|item| books.lacks(item)) {
            return Placed::SoldOut(short.product.name);
        }
        books.take(&items);
        let (words, total) = (words(&items), cart.total());
        books.orders.push(Order { number, buyer: buyer.into(), words, total });
        Placed::Done
    }

    /// What `buyer` bought, newest first.
    pub(super) fn orders_of(&self, buyer: &str) -> Vec<Order> {
        let books = self.books();
        books.orders.iter().rev().filter(|order| order.buyer == buyer).cloned().collect()
    }

    /// The newest orders of everybody, at most twenty.
    pub(super) fn orders(&self) -> Vec<Order> {
        self.books().orders.iter().rev().take(20).cloned().collect()
    }
}

impl Books {
    fn lacks(&self, item: &Item) -> bool {
        self.left.get(item.product.slug).is_none_or(|left| *left < item.count)
    }

    fn take(&mut self, items: &[Item]) {
        for item in items {
            if let Some(left) = self.left.get_mut(item.product.slug) {
                *left = left.saturating_sub(item.count);
            }
        }
    }
}

fn words(items: &[Item]) -> String {
    let line = |item: &Item| format!("{} × {}", item.count, item.product.name);
    items.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(slug: &str, count: u32) -> Cart {
        let mut cart = Cart::default();
        cart.set(slug, count);
        cart
    }

    #[test]
    fn an_order_sent_twice_is_one_order() {
        let shop = Shop::open();
        let number = shop.next_number();
        assert_eq!(shop.place(number, "mina", &cart("lantern", 2)), Placed::Done);
        assert_eq!(shop.place(number, "mina", &cart("lantern", 2)), Placed::Done);
        assert_eq!((shop.left("lantern"), shop.orders_of("mina").len()), (4, 1));
    }

    #[test]
    fn nobody_buys_what_is_not_there() {
        let shop = Shop::open();
        let sold_out = Placed::SoldOut("Walking Lantern");
        assert_eq!(shop.place(1, "mina", &cart("lantern", 7)), sold_out);
        assert_eq!(shop.place(2, "mina", &Cart::default()), Placed::Empty);
        assert_eq!((shop.left("lantern"), shop.orders()), (6, vec![]));
    }

    #[test]
    fn a_clerk_fills_the_shelf() {
        let shop = Shop::open();
        shop.restock("lantern", 5);
        assert_eq!(shop.left("lantern"), 11);
    }

    #[test]
    fn every_product_has_its_own_name_and_picture() {
        for (at, product) in PRODUCTS.iter().enumerate() {
            assert_eq!(PRODUCTS.iter().position(|other| other.slug == product.slug), Some(at));
            assert!(product.art.starts_with("<svg") && !product.art.contains("style="));
        }
    }
}
