import PresenceModel

/// What this server knows of another one, for the operator.
public struct PeerView: Hashable, Sendable {
    /// What kind of server it is at this moment.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// It takes part in subscribe and push.
        case capable
        /// It pushes, and ignores polls.
        case legacy
        /// It took part, and does not answer any more.
        case silent
        /// Nothing was heard from it that tells.
        case unheard
    }

    /// Its name.
    public var server: ServerName
    /// How it speaks, whether it answers or not.
    public var dialect: Dialect
    /// Since when it does not answer; `nil`: it does.
    public var silentSince: Instant?
    /// Until when it is sent nothing, because it wants nothing about presence.
    public var optedOutUntil: Instant?

    /// Local users whom somebody there may see.
    public var audience: Int
    /// Local users of whom it was promised to be told, while that holds.
    public var promisesGiven: Int
    /// Its users whom somebody here cares about.
    public var wanted: Int
    /// Those of its users of whom it has promised to tell, while that holds.
    public var promisesHeld: Int

    /// When it is reminded, if nothing is heard before; `nil`: the watchdog does not run.
    public var shortDue: Instant?
    /// When it counts as silent, if nothing is heard before.
    public var silentDue: Instant?
    /// When everything is exchanged anew.
    public var longDue: Instant?

    /// Changes gather; the first came then.
    public var windowOpened: Instant?
    /// When the batch leaves at the latest, if nothing more comes.
    public var windowCloses: Instant?
    /// Users whose state it is to be told.
    public var statesWaiting: Int
    /// Polls and unpolls for it.
    public var pollsWaiting: Int
    /// Permissions that it is to be told for certain.
    public var permissionsWaiting: Int
    /// When the transaction that it has not answered was composed.
    public var inFlightSince: Instant?
    /// The transaction is with the transport; otherwise it waits for ``retryAt``.
    public var isUnderway: Bool

    /// Failures in a row.
    public var failures: Int
    /// It is left alone until then.
    public var retryAt: Instant?
    /// The last authenticated sign of life since the start.
    public var lastHeard: Instant?
    /// When the last transaction was handed out since the start.
    public var lastSent: Instant?
    /// Since the start.
    public var counts: PeerCounts

    /// Silence goes before the dialect.
    public var kind: Kind {
        guard silentSince == nil else { return .silent }
        switch dialect {
        case .capable: return .capable
        case .legacy: return .legacy
        case .unheard: return .unheard
        }
    }
}

/// A part of the known servers, in the order of their names.
public struct PeerPage: Hashable, Sendable {
    /// At most as many as were asked for.
    public var peers: [PeerView]
    /// Where the next page begins; `nil`: this is the last.
    public var next: ServerName?
    /// How many servers are known.
    public var total: Int
}

extension FederationEngine {
    /// The known servers from `first` on, in the order of names.
    public func peers(from first: ServerName? = nil, limit: Int, at now: Instant) -> PeerPage {
        let names = peerNumbers.keys.filter { name in first.map { name >= $0 } ?? true }.sorted()
        let shown = names.prefix(max(limit, 0))
        return PeerPage(
            peers: shown.compactMap { peer($0, at: now) }, next: names.count > shown.count ? names[shown.count] : nil,
            total: peerNumbers.count)
    }

    /// Whether anything is exchanged with a server, or was lately.
    public func isPeer(_ name: ServerName) -> Bool { peerNumbers[name] != nil }

    /// What is known of one server.
    public func peer(_ name: ServerName, at now: Instant) -> PeerView? {
        guard let number = peerNumbers[name] else { return nil }
        let peer = peers[number]
        return PeerView(
            server: name, dialect: peer.dialect, silentSince: peer.silentSince,
            optedOutUntil: peer.optedOutUntil.flatMap { now < $0 ? $0 : nil }, audience: peer.audienceCount,
            promisesGiven: peer.given.values.count { now < $0.until }, wanted: peer.wantedCount,
            promisesHeld: peer.interests.count { place in interests[place].until.map { now < $0 } ?? false },
            shortDue: peer.shortDue(configuration), silentDue: peer.silenceDue(configuration), longDue: peer.longDue,
            windowOpened: peer.window?.opened, windowCloses: peer.window?.closes,
            statesWaiting: peer.dirty.union(peer.owed).count,
            pollsWaiting: peer.toPoll.count + peer.toUnpoll.count + peer.leaving.count,
            permissionsWaiting: peer.permissions.count, inFlightSince: peer.inFlight?.composed,
            isUnderway: peer.isUnderway, failures: peer.failures,
            retryAt: peer.retryAt.flatMap { now < $0 ? $0 : nil }, lastHeard: peer.lastHeard,
            lastSent: peer.lastSent, counts: peer.counts)
    }
}
