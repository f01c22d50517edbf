import PresenceModel
import SocialEngine

/// What is to be said of a member, as far as Matrix has a part in it.
struct Wish: Hashable, Sendable {
    var state: FriendState
    /// From the status text; `nil` in any other.
    var whereabouts: Whereabouts?
}

/// A linked user who takes part, in whose name the bridge speaks on the social side.
struct Member: Sendable {
    let user: UserID
    var view = MatrixView.unknown
    /// The social side takes what is said.
    var isOpen = false
    /// When it ceased to; `nil` while it does.
    var lostAt: Instant?
    /// Friendships were read in this session.
    var hasReadFriendships = false
    /// Friendships were read at least once in this run.
    var knowsFriends = false
    /// The presence list was read in this run.
    var hasReadList = false

    var isBeating = false
    /// A heartbeat was ordered in this run.
    var hasBeaten = false
    /// The next regular heartbeat.
    var nextBeat: Instant?
    var lastPrompt: Instant?
    var wantsPrompt = false
    /// What was wanted last; `nil` while not beating, and right after a restart.
    var wish: Wish?
    /// What the social side told of the user's whereabouts, that was not sent.
    var reported: (whereabouts: Whereabouts, at: Instant)?
    /// Someone else than the bridge holds the user online, until then at least.
    var provenUntil: Instant?
    /// What of this is kept.
    var kept: BeatMemory?

    /// Figures that this member's session says are there, or said when it was lost; rising.
    var sees: [Int] = []
    /// A snapshot came in this session.
    var isFresh = false
    /// Their votes were taken back, as the session was lost too long ago.
    var hasLapsed = false
    /// When friendships are read anew.
    var rereadAt: Instant?
    /// When a reading first said that all of many friends are gone, which another one is to confirm.
    var doubtedAt: Instant?
    /// Not before: a reading was asked for.
    var readingAsked: Instant?

    init(user: UserID) { self.user = user }
}

/// Somebody of the social side, linked or not.
struct Figure: Sendable {
    /// Members whose sessions say that they are there; rising.
    var voters: [Int] = []
    /// What was said last, while there are voters.
    var state = FriendState.offline
    var whereabouts: Whereabouts?
    /// When that was.
    var seenAt: Instant?
    /// There are no voters because sessions were lost.
    var isUnknown = false
    /// From then on, if nobody says anything of somebody who is shown from before a restart.
    var unknownAt: Instant?

    /// The last heartbeat in their name, also when they are no member any more.
    var lastBeat: Instant?
    /// Whereabouts that were sent, as long as they may come back.
    var sent = Recollection<Whereabouts>()

    /// What stands in Matrix; `nil`: nothing that needs taking away.
    var shown: ShownMemory?
    /// Whether it really stands there is not known: the bridge fell since.
    var isUncertain = false
    var shownAt: Instant?
    /// Not to be put before; after a failure.
    var retryAt: Instant?
    /// What stood there, as long as it may come back.
    var past = Recollection<Showing>()
    var ghost = Ghost.none

    /// Numbers of pairs that it is one of, rising.
    var pairs: [Int] = []

    /// Whether there is a Matrix user that is not linked.
    enum Ghost: Hashable, Sendable {
        case none
        case making(failures: Int)
        case waiting(until: Instant, failures: Int)
        case made
        /// Its name would be too long, or there are too many.
        case impossible
    }
}

extension [Int] {
    /// Keeps a rising list rising; false if it was there.
    @discardableResult mutating func insertRising(_ number: Int) -> Bool {
        let place = firstIndexRising(atLeast: number)
        guard place == count || self[place] != number else { return false }
        insert(number, at: place)
        return true
    }

    /// False if it was not there.
    @discardableResult mutating func removeRising(_ number: Int) -> Bool {
        let place = firstIndexRising(atLeast: number)
        guard place < count, self[place] == number else { return false }
        remove(at: place)
        return true
    }

    func containsRising(_ number: Int) -> Bool {
        let place = firstIndexRising(atLeast: number)
        return place < count && self[place] == number
    }

    private func firstIndexRising(atLeast number: Int) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
