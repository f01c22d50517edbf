import AsyncHTTPClient
import ClientGateway
import Crypto
import HTTPTypes
import MatrixHTTP
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import Synchronization

/// Syncs pass through to the homeserver, and presence rides along in the answers that leave anyway.
///
/// Tokens stay the homeserver's, byte for byte; how far a device was told is remembered beside them. Whatever is unclear,
/// whose the token is, which filter it is, what the answer is, passes as if nobody stood between. Decision 21.
public final class SyncGateway: Sendable {
    /// Limits and times of merged syncs.
    public struct Configuration: Hashable, Sendable {
        /// The most devices of which it is remembered how far they were told; past that the one told longest ago is
        /// told everything anew when it comes back.
        public var cursors = 100_000
        /// A long-poll ends early when there is presence for it: the homeserver is asked again, to answer at once.
        public var earlyWake = false
        /// No device is woken early more often than this.
        public var earlyWakePause: Duration = .seconds(30)
        /// A longer body of a sliding sync passes unread, or is refused with 413 if it did not say how long it would be.
        public var bodyLimitBytes = 256 * 1024
        /// How long the homeserver may take to answer what a filter is.
        public var filterTimeout: Duration = .seconds(10)

        /// The defaults above.
        public init() {}
    }

    /// What the sync of one device wants of presence.
    struct Wish: Sendable {
        /// Where to begin.
        enum Start: Hashable, Sendable {
            /// With everyone; of a client that holds nothing yet, those who are offline are no news.
            case everyone(tellsOffline: Bool)
            case after(PresenceRuntime.StreamPosition)
        }

        var shape: SyncSplicer.Shape
        var key: DeviceKey
        var filter: SyncFilter
        var start: Start
        /// What tells tokens of one kind from those of another.
        var realm: String
    }

    let pass: PassThrough
    let tokens: WhoamiTokens
    let client: ClientGateway
    let runtime: PresenceRuntime
    let configuration: Configuration
    let filters: SyncFilters
    let wakes: EarlyWakes
    private let disk: any Journal
    private let cursors: Mutex<SyncCursors>

    /// - Parameters:
    ///   - client: what writes events as clients read them.
    ///   - saved: the cursors of the run before.
    ///   - clock: times early wakes.
    public init(
        pass: PassThrough, tokens: WhoamiTokens, client: ClientGateway, runtime: PresenceRuntime,
        journal: any Journal, restoring saved: [(key: DeviceKey, cursors: [SyncCursors.Cursor])],
        configuration: Configuration, clock: any PresenceClock
    ) {
        self.pass = pass
        self.tokens = tokens
        self.client = client
        self.runtime = runtime
        disk = journal
        self.configuration = configuration
        filters = SyncFilters(pass: pass, timeout: configuration.filterTimeout)
        wakes = EarlyWakes(pause: configuration.earlyWakePause, clock: clock)
        cursors = Mutex(SyncCursors(limit: configuration.cursors, restoring: saved))
    }

    /// The syncs.
    public var routes: [Route] {
        ["v3", "r0"].map { Route("GET", "/_matrix/client/\($0)/sync", getSync) }
            + ["v4", "unstable/org.matrix.simplified_msc3575"].map {
                Route("POST", "/_matrix/client/\($0)/sync", postSlidingSync)
            }
    }

    /// Where a device begins that came with `token`; `nil`: with none.
    func start(of key: DeviceKey, token: String?, realm: String, isFull: Bool) -> Wish.Start {
        guard let token else { return .everyone(tellsOffline: false) }
        switch cursors.withLock({ $0.finding(of: key, SyncGateway.mark(of: token, in: realm)) }) {
        case .told(let position): return isFull ? .everyone(tellsOffline: true) : .after(position)
        case .toldElsewhere: return .everyone(tellsOffline: true)
        case .neverTold: return .everyone(tellsOffline: isFull)
        }
    }

    /// Takes down that the device is told up to `position` with `token`, while `finish` sends the end of the answer, so
    /// that a client that comes back at once is known; takes it back if the end does not go out.
    func advance(
        _ key: DeviceKey, token: String, realm: String, to position: PresenceRuntime.StreamPosition,
        while finish: () async throws -> Void
    ) async throws {
        try Task.checkCancellation()
        let mark = SyncGateway.mark(of: token, in: realm)
        // Within the lock, so that rows of one device are written in the order in which they came about.
        let before = cursors.withLock { cursors -> PresenceRuntime.StreamPosition? in
            let finding = cursors.finding(of: key, mark)
            save(cursors.advance(key, mark, to: position))
            if case .told(let position) = finding { return position }
            return nil
        }
        do {
            try await finish()
        } catch {
            cursors.withLock { save($0.takeBack(key, mark, to: before)) }
            throw error
        }
    }

    private func save(_ records: [PresenceInstance.Record]) {
        if !records.isEmpty { disk.append(records) }
    }

    /// How many devices are remembered.
    public var cursorCount: Int { cursors.withLock { $0.count } }

    private static func mark(of token: String, in realm: String) -> SyncCursors.Mark {
        let digest = SHA256.hash(data: Array(realm.utf8) + [0] + Array(token.utf8))
        var halves: [UInt64] = [0, 0]
        for (place, byte) in digest.prefix(16).enumerated() {
            halves[place / 8] = halves[place / 8] << 8 | UInt64(byte)
        }
        return SyncCursors.Mark(high: halves[0], low: halves[1])
    }
}

extension MatrixErrorBody {
    /// As Synapse says it; the order of the words differs there from start to start.
    static let badSetPresence = MatrixErrorBody(
        .invalidParameter,
        "Query parameter 'set_presence' must be one of ['online', 'unavailable', 'offline']")
}
