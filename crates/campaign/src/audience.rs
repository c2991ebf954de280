//! Who gets a campaign, and why the others do not: streamed for `check` and `plan`, frozen once at the start.
//!
//! The freeze is a once-only job: it reads the lists page by page, stages those who are kept in runs sorted by
//! rank, and turns the stage into delivery rows in rank order. What must hold: each contact of the lists becomes one
//! row or gets one reason; memory is bounded by one run; killed anywhere, the next holder of the job goes on.
//! docs/flow.md, hop 3.

use crate::{Error, Result, filter};
use postroad_model::campaign::{Campaign, CampaignSettings, CampaignState};
use postroad_model::delivery::ContactFields;
use postroad_model::filter::{Filter, Subject, Truth};
use postroad_model::rank::rank;
use postroad_model::when::Zone;
use postroad_model::{
    CampaignId, ContactId, EmailAddress, ListId, MailboxProvider, NodeId, Timestamp,
};
use postroad_store::{Candidate, JobLease, LeftOut, RankRange, SLICE, Staged, Standing, Store};

/// Audiences larger than this get a partition of their own.
pub const OWN_BUCKET_FROM: i64 = 50_000;

/// Own partitions are numbered from here on, above every month (yyyymm).
const OWN_BUCKET_BASE: i64 = 1_000_000;

/// Kept contacts per sorted run: large enough that a run's slices fall close together in the stage.
const RUN: usize = 100_000;

/// Why a contact of the lists is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its data were erased.
    Erased,
    /// Subscribed to none of the lists any more.
    Unsubscribed,
    /// A member of an excluded list.
    Excluded,
    /// On the suppression list.
    Suppressed,
    /// The stored address is none.
    Invalid,
    /// The filter is not true for it.
    Filter,
}

impl Reason {
    /// The name in the database and in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Unsubscribed => "unsubscribed",
            Self::Excluded => "excluded",
            Self::Suppressed => "suppressed",
            Self::Invalid => "invalid",
            Self::Filter => "filter",
        }
    }
}

/// Somebody who is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The contact.
    pub id: ContactId,
    /// The address.
    pub address: EmailAddress,
    /// Its keyed hash.
    pub address_hash: i64,
    /// Who hosts it.
    pub provider: MailboxProvider,
    /// Name and attributes.
    pub fields: ContactFields,
}

/// What becomes of one contact of the lists.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It is in the audience.
    Keep(Box<Member>),
    /// It is not.
    LeaveOut(ContactId, Reason),
}

/// The contacts of a campaign's lists, page by page, each decided upon.
pub struct AudienceStream<'a> {
    store: &'a Store,
    lists: Vec<ListId>,
    exclude: Vec<ListId>,
    filter: Option<Filter>,
    after: ContactId,
}

impl<'a> AudienceStream<'a> {
    /// Begins at the first contact.
    ///
    /// # Errors
    /// An unknown list or zone, a filter that cannot be read.
    pub async fn open(store: &'a Store, settings: &CampaignSettings) -> Result<Self> {
        let zone = Zone::parse(&settings.zone)?;
        let filter = settings.filter.as_ref().map(|text| filter::parse(text, &zone)).transpose()?;
        Ok(Self {
            store,
            lists: store.list_ids(&settings.lists).await?,
            exclude: store.list_ids(&settings.exclude).await?,
            filter,
            after: ContactId(0),
        })
    }

    /// The lists that it reads.
    #[must_use]
    pub fn lists(&self) -> &[ListId] {
        &self.lists
    }

    /// The typed filter.
    #[must_use]
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// The next page; empty at the end.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_page(&mut self) -> Result<Vec<Decision>> {
        let page = self.store.audience_page(&self.lists, &self.exclude, self.after, SLICE).await?;
        if let Some(last) = page.last() {
            self.after = last.id;
        }
        page.into_iter().map(|candidate| decide(candidate, self.filter.as_ref())).collect()
    }
}

fn decide(candidate: Candidate, filter: Option<&Filter>) -> Result<Decision> {
    let leave_out = |reason| Ok(Decision::LeaveOut(candidate.id, reason));
    match candidate.standing {
        Standing::Erased => return leave_out(Reason::Erased),
        Standing::Unsubscribed => return leave_out(Reason::Unsubscribed),
        Standing::Excluded => return leave_out(Reason::Excluded),
        Standing::Suppressed => return leave_out(Reason::Suppressed),
        Standing::Open => {}
    }
    let parsed = candidate.address.as_deref().and_then(|a| EmailAddress::parse(a).ok());
    let provider = MailboxProvider::from_code(candidate.provider);
    let (Some(address), Some(provider)) = (parsed, provider) else {
        return leave_out(Reason::Invalid);
    };
    let attributes = serde_json::from_str(&candidate.attributes)
        .map_err(|_| Error::Attributes(candidate.id.0))?;
    if let Some(filter) = filter {
        let subject = Subject {
            address: &address,
            provider,
            name: candidate.name.as_deref(),
            attributes: &attributes,
            created_at: candidate.created_at,
        };
        if filter.eval(&subject) != Truth::True {
            return leave_out(Reason::Filter);
        }
    }
    Ok(Decision::Keep(Box::new(Member {
        id: candidate.id,
        address,
        address_hash: candidate.address_hash,
        provider,
        fields: ContactFields { name: candidate.name, attributes },
    })))
}

/// How a freeze ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// The audience stands.
    Done {
        /// Its size.
        audience: i64,
    },
    /// Another node works on it.
    Elsewhere,
    /// The campaign was cancelled meanwhile.
    GivenUp,
}

/// Freezes a campaign's audience under a once-only job. `now` is asked before each step.
///
/// # Errors
/// The database's, `JobLost` when another node took over; the freeze goes on from where it stood when it is called
/// again.
pub async fn freeze(
    store: &Store,
    campaign: &Campaign,
    node: NodeId,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
) -> Result<Freeze> {
    let name = format!("freeze:{}", campaign.id);
    let Some(job) = store.take_job(&name, node, now()).await? else {
        return Ok(Freeze::Elsewhere);
    };
    let work = Work { store, campaign, job, now };
    let progress = match work.job.note.as_deref().and_then(Progress::read) {
        Some(progress) => progress,
        None => {
            let after = work.job.note.as_deref().and_then(|n| n.parse().ok()).unwrap_or(0);
            if !work.stage(ContactId(after)).await? {
                return work.give_up().await;
            }
            work.begin_rows().await?
        }
    };
    if !work.rows(progress).await? {
        return work.give_up().await;
    }
    let audience = store.close_audience(campaign.id, now()).await?;
    store.finish_job(&work.job, now()).await?;
    Ok(Freeze::Done { audience })
}

/// How far the stage has become rows. Ranks are spread evenly, so that ranges of equal width hold about the same
/// number: no slice needs a sort to find its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    bucket: i64,
    next: i64,
    width: i64,
}

impl Progress {
    fn begin(bucket: i64, staged: i64) -> Self {
        // Three quarters of a slice on average: chance does not fill the last one.
        let aim = SLICE * 3 / 4;
        let width = if staged <= aim { i64::MAX } else { (i64::MAX / staged).saturating_mul(aim) };
        Self { bucket, next: 0, width }
    }

    fn read(note: &str) -> Option<Self> {
        let mut numbers = note.strip_prefix("rows ")?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self { bucket: next()?, next: next()?, width: next()? })
    }

    fn note(self) -> String {
        format!("rows {} {} {}", self.bucket, self.next, self.width)
    }

    /// The next range and what remains after it.
    fn step(self) -> (RankRange, Option<Self>) {
        match self.next.checked_add(self.width) {
            Some(next) => ((self.next, next - 1), Some(Self { next, ..self })),
            None => ((self.next, i64::MAX), None),
        }
    }
}

struct Work<'a> {
    store: &'a Store,
    campaign: &'a Campaign,
    job: JobLease,
    now: &'a (dyn Fn() -> Timestamp + Send + Sync),
}

impl Work<'_> {
    fn id(&self) -> CampaignId {
        self.campaign.id
    }

    /// False once the campaign no longer waits for its start.
    async fn goes_on(&self) -> Result<bool> {
        let stored = self.store.campaign_by_id(self.id()).await?;
        Ok(matches!(stored.campaign.state, CampaignState::Scheduled { .. }))
    }

    /// Fixes the partition; from here on the lists are not read any more.
    async fn begin_rows(&self) -> Result<Progress> {
        let staged = self.store.staged_audience(self.id()).await?;
        let bucket = if staged > OWN_BUCKET_FROM {
            OWN_BUCKET_BASE + self.id().0
        } else {
            self.campaign.bucket
        };
        let progress = Progress::begin(bucket, staged);
        let note = progress.note();
        let part = (bucket, note.as_str());
        self.store.assign_bucket(&self.job, self.id(), part, (self.now)()).await?;
        Ok(progress)
    }

    /// Turns the stage into rows; false when the campaign was cancelled meanwhile.
    async fn rows(&self, mut progress: Progress) -> Result<bool> {
        loop {
            let (range, rest) = progress.step();
            let note = rest.unwrap_or(progress).note();
            let part = (range, note.as_str());
            self.store.insert_audience_slice(&self.job, self.id(), part, (self.now)()).await?;
            if !self.goes_on().await? {
                return Ok(false);
            }
            match rest {
                Some(rest) => progress = rest,
                None => break,
            }
        }
        self.store.analyze_partition(progress.bucket).await?;
        Ok(true)
    }

    async fn give_up(&self) -> Result<Freeze> {
        self.store.close_audience(self.id(), (self.now)()).await?;
        self.store.finish_job(&self.job, (self.now)()).await?;
        Ok(Freeze::GivenUp)
    }

    /// Stages everybody after a contact; false when the campaign was cancelled meanwhile.
    async fn stage(&self, after: ContactId) -> Result<bool> {
        let mut stream = AudienceStream::open(self.store, &self.campaign.settings).await?;
        stream.after = after;
        let (mut kept, mut left) = (Vec::new(), Vec::new());
        loop {
            let page = stream.next_page().await?;
            let end = page.is_empty();
            for decision in page {
                match decision {
                    Decision::Keep(m) => kept.push(Staged {
                        rank: rank(self.campaign.seed, m.address_hash),
                        contact: m.id.0,
                    }),
                    Decision::LeaveOut(id, reason) => {
                        left.push(LeftOut { contact: id.0, reason: reason.as_str() });
                    }
                }
            }
            if kept.len() + left.len() >= RUN || end {
                self.write_run(&mut kept, &mut left, stream.after).await?;
                if !self.goes_on().await? {
                    return Ok(false);
                }
            }
            if end {
                return Ok(true);
            }
        }
    }

    /// Writes a run in the order of its ranks; the last part notes how far the lists were read.
    async fn write_run(
        &self,
        kept: &mut Vec<Staged>,
        left: &mut Vec<LeftOut>,
        read_to: ContactId,
    ) -> Result<()> {
        kept.sort_unstable();
        let size = usize::try_from(SLICE).unwrap_or(usize::MAX);
        for part in left.chunks(size) {
            self.write((&[], part), None).await?;
        }
        for part in kept.chunks(size) {
            self.write((part, &[]), None).await?;
        }
        self.write((&[], &[]), Some(&read_to.to_string())).await?;
        kept.clear();
        left.clear();
        Ok(())
    }

    async fn write(&self, part: (&[Staged], &[LeftOut]), note: Option<&str>) -> Result<()> {
        Ok(self.store.stage_audience(&self.job, self.id(), part, note, (self.now)()).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(staged: i64) {
        let mut at = Some(Progress::begin(202_611, staged));
        let (mut expected, mut slices) = (0, 0);
        while let Some(progress) = at {
            assert_eq!(Progress::read(&progress.note()), Some(progress));
            let ((from, to), rest) = progress.step();
            assert!(from == expected && to >= from, "the ranges follow each other");
            (expected, at) = (to.saturating_add(1), rest);
            slices += 1;
        }
        assert_eq!(expected, i64::MAX, "the last range reaches the last rank");
        assert!(slices <= staged / (SLICE * 3 / 4) + 2, "{slices} slices for {staged}");
    }

    #[test]
    fn the_ranges_of_a_freeze_cover_every_rank_once() {
        [0, 1, 1_500, 1_501, 2_000, 50_001, 10_000_000].into_iter().for_each(check);
    }
}
