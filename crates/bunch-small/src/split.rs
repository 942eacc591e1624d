//! What a piece of data is for.

/// What a request, a wording or an item is for; nothing is for two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// Models are trained on it.
    Train,
    /// Choices are made on it: grids are selected, training is stopped, recipes are found.
    Dev,
    /// Results are measured on it, and nothing else.
    Test,
}

impl Split {
    /// All of them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Dev, Split::Test];

    /// Its name in data files.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Dev => "dev",
            Split::Test => "test",
        }
    }
}
