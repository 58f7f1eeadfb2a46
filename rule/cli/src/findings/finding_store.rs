//! Keeps findings on disk, so that memory does not grow with the organization. Each account's findings are sorted when they are
//! added, and every read merges those of all accounts.

use crate::findings::finding::{Finding, Rank};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::File,
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
};

/// A file without a name, which disappears with the process. Each finding is four bytes for its length, then JSON.
pub(crate) struct FindingStore {
    file: File,
    /// Where each account's findings begin and end.
    runs: Vec<(u64, u64)>,
}

impl FindingStore {
    pub(crate) fn new() -> io::Result<FindingStore> {
        Ok(FindingStore { file: tempfile::tempfile()?, runs: Vec::new() })
    }

    /// Adds the findings of one account.
    pub(crate) fn add(&mut self, mut findings: Vec<Finding>) -> io::Result<()> {
        findings.sort_by_cached_key(Finding::rank);
        let start = self.file.seek(SeekFrom::End(0))?;
        let mut out = BufWriter::new(&self.file);
        for finding in &findings {
            let json = serde_json::to_vec(finding)?;
            out.write_all(&u32::try_from(json.len()).map_err(io::Error::other)?.to_le_bytes())?;
            out.write_all(&json)?;
        }
        out.flush()?;
        drop(out);
        self.runs.push((start, self.file.stream_position()?));
        Ok(())
    }

    /// All findings, the most urgent first.
    pub(crate) fn ordered(&self) -> io::Result<Ordered<'_>> {
        let at = self.runs.iter().map(|(start, _)| *start).collect();
        let mut ordered = Ordered { store: self, at, heads: vec![None; self.runs.len()], ranks: BinaryHeap::new() };
        for run in 0..ordered.heads.len() {
            ordered.read(run)?;
        }
        Ok(ordered)
    }

    /// The violations, which come before all other findings.
    pub(crate) fn violations(&self) -> io::Result<impl Iterator<Item = io::Result<Finding>>> {
        Ok(self.ordered()?.take_while(|finding| !matches!(finding, Ok(finding) if !finding.is_violation())))
    }
}

/// Returns the findings in order. Holds one finding for each account.
pub(crate) struct Ordered<'a> {
    store: &'a FindingStore,
    /// For each account, the position of the next finding, and the finding that was read last.
    at: Vec<u64>,
    heads: Vec<Option<Finding>>,
    ranks: BinaryHeap<Reverse<(Rank, usize)>>,
}

impl Ordered<'_> {
    /// Reads an account's next finding, if there is another.
    fn read(&mut self, run: usize) -> io::Result<()> {
        if self.at[run] >= self.store.runs[run].1 {
            return Ok(());
        }
        let mut file = &self.store.file;
        let mut length = [0; 4];
        file.seek(SeekFrom::Start(self.at[run]))?;
        file.read_exact(&mut length)?;
        let mut json = vec![0; u32::from_le_bytes(length) as usize];
        file.read_exact(&mut json)?;
        self.at[run] += 4 + json.len() as u64;
        let finding: Finding = serde_json::from_slice(&json)?;
        self.ranks.push(Reverse((finding.rank(), run)));
        self.heads[run] = Some(finding);
        Ok(())
    }
}

impl Iterator for Ordered<'_> {
    type Item = io::Result<Finding>;

    fn next(&mut self) -> Option<io::Result<Finding>> {
        let Reverse((_, run)) = self.ranks.pop()?;
        let finding = self.heads[run].take()?;
        Some(self.read(run).map(|()| finding))
    }
}
