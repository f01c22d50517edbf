import BridgeEngine
import PresenceModel
import SocialEngine

/// Orders that wait for rows to be on disk, and the rows: group commit as a value.
struct Outbox: Sendable {
    typealias Waiter = CheckedContinuation<(any Error)?, Never>

    /// What may leave now.
    private var ready: [BridgeEngine.Effect] = []
    /// What may leave when ``rows`` are on disk.
    private var gathering: [BridgeEngine.Effect] = []
    /// What may leave when what is being written is.
    private var held: [BridgeEngine.Effect] = []
    private var rows: [BridgeEngine.Record] = []
    private var gatheringWaiters: [Waiter] = []
    private var heldWaiters: [Waiter] = []
    private(set) var isWriting = false
    /// The last transaction failed: rows alone do not call for the next.
    private var isFailing = false

    /// Rows wait for the next transaction.
    var hasRows: Bool { !rows.isEmpty }

    /// One step's effects.
    mutating func add(_ effects: [BridgeEngine.Effect]) {
        var hasRows = false
        for case .save(let record) in effects {
            rows.append(record)
            hasRows = true
        }
        if hasRows { isFailing = false }
        let orders = effects.filter { if case .save = $0 { false } else { true } }
        guard !orders.isEmpty else { return }
        if hasRows || !gathering.isEmpty {
            gathering += orders
        } else if isWriting {
            held += orders
        } else {
            ready += orders
        }
    }

    /// Somebody wants to know when all rows so far are on disk; there are some.
    mutating func await(_ waiter: Waiter) {
        if rows.isEmpty { heldWaiters.append(waiter) } else { gatheringWaiters.append(waiter) }
        isFailing = false
    }

    mutating func takeReady() -> [BridgeEngine.Effect] {
        defer { ready = [] }
        return ready
    }

    /// The rows of the next transaction; `nil`: none is due.
    mutating func beginWriting() -> [BridgeEngine.Record]? {
        guard !isWriting, !rows.isEmpty, !isFailing else { return nil }
        isWriting = true
        held = gathering
        heldWaiters = gatheringWaiters
        gathering = []
        gatheringWaiters = []
        defer { rows = [] }
        return rows
    }

    /// - Returns: whom to tell how it ended.
    mutating func endWriting(_ written: [BridgeEngine.Record], _ failure: (any Error)?) -> [Waiter] {
        isWriting = false
        ready += held
        held = []
        if failure != nil {
            rows = Outbox.latest(written + rows)
            // Orders that came meanwhile wait for another attempt, which may be long in coming.
            isFailing = gathering.isEmpty && gatheringWaiters.isEmpty
        }
        defer { heldWaiters = [] }
        return heldWaiters
    }

    /// However long the disk fails, there is no more of them than rows in the end.
    private static func latest(_ records: [BridgeEngine.Record]) -> [BridgeEngine.Record] {
        var seen: Set<BridgeEngine.Record.RowKey> = []
        return records.reversed().filter { seen.insert($0.rowKey).inserted }.reversed()
    }
}

extension BridgeEngine.Record {
    fileprivate enum RowKey: Hashable {
        /// Not the user alone: a link that goes may come behind the one that takes its place.
        case link(Link)
        case person(UserID)
        case beats(SocialAddress)
        case shown(SocialAddress)
        case ghost(SocialAddress)
        case pair(SocialAddress, SocialAddress)
    }

    /// Which row a later record writes again.
    fileprivate var rowKey: RowKey {
        switch self {
        case .link(let link, _): .link(link)
        case .person(let user, _): .person(user)
        case .beats(let address, _): .beats(address)
        case .shown(let address, _): .shown(address)
        case .ghost(let address): .ghost(address)
        case .pair(let low, let high, _): .pair(low, high)
        }
    }
}
