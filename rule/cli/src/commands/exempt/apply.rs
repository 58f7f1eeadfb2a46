//! `exempt --apply`: makes the exemption tags of the accounts equal to the file. Everything is checked before the first write.

use super::{
    check::{entries, unread, without_entry},
    compare::{AT_A_TIME, Compared, compare, refused_by_the_rule, shown},
    file::{File, refused},
    progress::Progress,
    write::{Target, Unwritten},
};
use crate::{
    args::{connection::Session, targets::Targets},
    command_result::CommandResult,
    findings::exemptions::{is_exemption_tag, tagged_users},
    output::{destination, visible::on_one_line},
};
use access_key_rotation::aws::{account::Account, iam::get_user};
use anyhow::bail;
use futures_util::{StreamExt, stream};
use policy::{parameters::Parameters, user::Tags};
use std::{collections::BTreeMap, path::Path};

/// What to do besides writing what the file says.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Remove the exemption tags of users without an entry.
    pub(super) prune: bool,
    /// Write nothing.
    pub(super) dry_run: bool,
}

/// The exemption tags of one user, and what they become.
struct Job {
    user: String,
    id: String,
    old: Tags,
    /// None for a user without an entry.
    new: Tags,
    /// Who, where in the file, and what changes.
    says: String,
}

/// The work in an account.
struct Jobs {
    jobs: Vec<Job>,
    /// How many calls it takes to list the users once more; `None` if that is denied.
    pages: Option<usize>,
}

/// Writes what differs, and confirms it.
///
/// # Errors
/// If anything is wrong or cannot be read. Then nothing was written.
pub(super) async fn apply(
    session: &Session,
    (path, file): (&Path, &File),
    targets: &Targets,
    parameters: &Parameters,
    how: How,
) -> anyhow::Result<CommandResult> {
    let mut mistakes = refused_by_the_rule(file, (session.now.date_naive(), parameters.max_exemption_days), false);
    let accounts = compare(session, (path, file), targets).await?;
    mistakes.extend(accounts.values().flat_map(|account| account.mistakes.clone()));
    let unread = unread(path, &accounts);
    if !mistakes.is_empty() || !unread.is_empty() {
        return Err(refused(path, mistakes, unread));
    }
    if how.prune && file.entries.is_empty() {
        bail!(
            "{}: no entry is about a user, so --prune would end every exemption. Nothing was written. End them one by one: \
             access-key-rotation exempt USER --remove",
            path.display()
        );
    }
    let kept = if how.prune { Vec::new() } else { without_entry(&accounts) };
    let same = file.entries.len() - accounts.values().map(|account| account.changes.len()).sum::<usize>();
    let accounts: BTreeMap<_, _> =
        accounts.into_iter().map(|(id, account)| (id.clone(), Jobs::of(path, &id, account, how.prune))).collect();
    if how.dry_run {
        let mut said: Vec<_> =
            accounts.values().flat_map(|jobs| jobs.jobs.iter().map(|job| job.says.clone())).collect();
        let changes = said.len();
        said.extend(kept);
        said.push(format!("{}. To write: {changes}. Unchanged: {same}. Nothing was written", entries(file)));
        destination::print(said.join("\n") + "\n").await?;
        return Ok(CommandResult::default());
    }
    let open = accounts.iter().filter(|(_, jobs)| !jobs.jobs.is_empty()).map(|(id, _)| (id.clone(), None)).collect();
    let all = accounts.iter().flat_map(|(id, jobs)| jobs.jobs.iter().map(move |job| (id, job)));
    let progress = Progress::of(all.map(|(id, job)| ((id.clone(), job.user.clone()), job.says.clone())).collect());
    session
        .read_accounts(open, async |id, _| {
            let Some(jobs) = accounts.get(&id) else { return };
            let calls = session.calls_in(&id);
            match session.open(&id, &calls).await {
                Ok(account) => jobs.run(&account, &progress).await,
                Err(error) => progress.not_opened(&id, &error.to_string()),
            }
        })
        .await;
    let (written, errors) = progress.end();
    let mut said = kept;
    said.push(format!("{}. Written: {written}. Failed: {}. Unchanged: {same}", entries(file), errors.number));
    destination::print(said.join("\n") + "\n").await?;
    Ok(CommandResult { errors: errors.lines, violations: false })
}

impl Jobs {
    fn of(path: &Path, id: &str, account: Compared<'_>, prune: bool) -> Jobs {
        let changes = account.changes.into_iter().map(|change| {
            let says = format!("{}, {}", path.display(), change.says());
            Job { user: change.entry.user().to_owned(), new: change.entry.tags(), id: change.id, old: change.old, says }
        });
        let mut jobs: Vec<_> = changes.collect();
        if prune {
            jobs.extend(account.others.into_iter().map(|user| Job {
                says: format!(
                    "{} in account {id} has no entry, and loses {}",
                    on_one_line(&user.name),
                    shown(&user.tags)
                ),
                user: user.name,
                id: user.id,
                old: user.tags,
                new: Tags::new(),
            }));
        }
        Jobs { jobs, pages: account.pages }
    }

    /// Writes all, then confirms all that was written.
    async fn run(&self, account: &Account<'_>, progress: &Progress) {
        let mut writes = stream::iter(&self.jobs)
            .map(|job| async move { (job, Jobs::write(account, job).await) })
            .buffer_unordered(AT_A_TIME);
        let mut written = Vec::new();
        while let Some((job, outcome)) = writes.next().await {
            match outcome {
                Ok(()) => written.push(job),
                Err(Unwritten { why, advice }) => progress.failed(&account.id, &job.user, &why, advice),
            }
        }
        drop(writes);
        let listed = self.listed(account, written.len()).await;
        let (confirmed, left): (Vec<&Job>, Vec<_>) =
            written.into_iter().partition(|job| listed.get(&job.user) == Some(&(job.id.clone(), job.new.clone())));
        for job in confirmed {
            progress.done(&account.id, &job.user).await;
        }
        let mut confirmations = stream::iter(left)
            .map(|job| async move { (job, job.target(account).confirm(&job.new).await) })
            .buffer_unordered(AT_A_TIME);
        while let Some((job, outcome)) = confirmations.next().await {
            match outcome {
                Ok(()) => progress.done(&account.id, &job.user).await,
                Err(error) => progress.failed(&account.id, &job.user, &error.to_string(), ""),
            }
        }
    }

    async fn write(account: &Account<'_>, job: &Job) -> Result<(), Unwritten> {
        // Somebody may have exempted the user since the listing. An entry has the last word; without one, nobody has decided.
        if job.new.is_empty() && !job.is_as_listed(account).await? {
            let why =
                format!("{} in account {} has changed since the listing, and keeps its tags.", job.user, account.id);
            return Err(Unwritten { why, advice: "Run the same command again." });
        }
        job.target(account).write(&job.new).await
    }

    /// The ids and the exemption tags of all users, if listing them takes fewer calls than reading those that were written. If the
    /// listing fails, they are read one by one.
    async fn listed(&self, account: &Account<'_>, written: usize) -> BTreeMap<String, (String, Tags)> {
        if self.pages.is_none_or(|pages| pages >= written) {
            return BTreeMap::new();
        }
        let users = tagged_users(account).await.map(|listed| listed.users).unwrap_or_default();
        let users = users.into_iter().map(|mut user| {
            user.tags.retain(|name, _| is_exemption_tag(name));
            (user.name, (user.id, user.tags))
        });
        users.collect()
    }
}

impl Job {
    fn target<'a>(&'a self, account: &'a Account<'a>) -> Target<'a> {
        Target { account, name: &self.user, id: &self.id, old: &self.old }
    }

    /// Whether the user is the one of the listing, and has the same exemption tags.
    async fn is_as_listed(&self, account: &Account<'_>) -> Result<bool, Unwritten> {
        let read = get_user(account, &self.user).await;
        let (user, mut tags) = read.map_err(|error| Unwritten {
            why: format!("{error} for {} in account {}.", self.user, account.id),
            advice: "Run the same command again.",
        })?;
        tags.retain(|name, _| is_exemption_tag(name));
        Ok(user.id == self.id && tags == self.old)
    }
}
