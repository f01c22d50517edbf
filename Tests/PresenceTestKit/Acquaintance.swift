import FederationEngine
import PresenceModel

/// What one server of the world is entitled to believe of another, worked out from what passed between them; written from
/// the rules of the conversation (design, section 4) without a look at the engine.
struct Acquaintance: Sendable {
    /// It showed that it takes part in subscribe and push, or that it does not.
    var dialect = Dialect.unheard
    /// Its last sign of life.
    var lastHeard: Instant?
    /// Since when there is interest in either direction.
    var liveSince: Instant?
    /// The engine said that it is silent.
    var isSilent = false
    /// Promises to it about local users: they hold until then at most.
    var given: [UserID: Instant] = [:]
    /// It became known as one that takes part a while ago, and until then was told without having asked: what was about
    /// to be said then may still leave until.
    var toldUnaskedUntil = Instant.epoch
    /// Local users whom someone there could see at the last look.
    var audience: Set<UserID> = []
    /// Those of them who were seen by large rooms only.
    var seenWidely: Set<UserID> = []
    /// Failures in a row, and when the wait for the next try ends at the latest.
    var failures = 0
    var retryAt: Instant?
    /// The latest transaction to it, retries included.
    var lastSent: Instant?
    /// What it was told last of local users.
    var told: [UserID: NaiveModel.Look] = [:]
    /// The latest reminder to it, and ``told`` of those promised then.
    var summary: (summary: PresenceMessage.Reminder.Summary, told: [UserID: NaiveModel.Look])?
    /// The latest transaction with a reminder, and what the sender's users were when it was composed.
    var reminded: (transaction: String, looks: [UserID: NaiveModel.Look])?
    /// Its users of whom it said something since the start.
    var said: Set<UserID> = []

    func isLive(at now: Instant, grace: Duration = .zero) -> Bool {
        dialect == .capable && given.values.contains { now < $0 + grace }
    }
}
