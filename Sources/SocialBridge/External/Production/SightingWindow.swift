import SocialEngine

/// Tells friends who are there already from those who come: the production service names the former one by one when a
/// subscription begins, and does not say when it is done. Until it is silent for a while, what it says is one snapshot.
///
/// Closed by silence, by the first friend who is not online (only changes say that), by its time, or by its size. What
/// the service could not look up is not in it, and nobody is told: those friends are offline until they change.
public struct SightingWindow: Sendable {
    /// When it closes.
    public struct Configuration: Hashable, Sendable {
        /// After the beginning without a word: nobody is there. The service looks up profiles first.
        public var silentAtFirst: Duration = .seconds(10)
        /// After the last word: each one takes a round trip.
        public var silentAfterwards: Duration = .seconds(2)
        /// After the beginning, whatever comes.
        public var closesAfter: Duration = .seconds(60)
        /// How often it is looked at while it is open.
        public var lookEvery: Duration = .milliseconds(500)
        /// Past this many friends it closes.
        public var sightingsLimit = 10_000

        /// The times above.
        public init() {}
    }

    private let configuration: Configuration
    private let openedAt: ContinuousClock.Instant
    private var latest: ContinuousClock.Instant?
    private var gathered: [FriendSighting] = []
    private var places: [SocialAddress: Int] = [:]
    /// What comes is told as it comes.
    public private(set) var isClosed = false

    /// A window that opens when the subscription begins.
    public init(_ configuration: Configuration, openedAt: ContinuousClock.Instant) {
        self.configuration = configuration
        self.openedAt = openedAt
    }

    /// - Parameter sighting: `nil`: time went by.
    /// - Returns: what is to be told, in order.
    public mutating func take(_ sighting: FriendSighting?, at now: ContinuousClock.Instant) -> [BridgedWord] {
        guard !isClosed else { return sighting.map { [.changed([$0])] } ?? [] }
        guard let sighting else {
            let end = latest.map { $0 + configuration.silentAfterwards } ?? openedAt + configuration.silentAtFirst
            return now >= min(end, openedAt + configuration.closesAfter) ? [close()] : []
        }
        guard sighting.state == .online, gathered.count < configuration.sightingsLimit else {
            return [close(), .changed([sighting])]
        }
        latest = now
        if let place = places[sighting.friend] {
            gathered[place] = sighting
        } else {
            places[sighting.friend] = gathered.count
            gathered.append(sighting)
        }
        return now >= openedAt + configuration.closesAfter ? [close()] : []
    }

    private mutating func close() -> BridgedWord {
        isClosed = true
        defer { (gathered, places) = ([], [:]) }
        return .snapshot(gathered)
    }
}
