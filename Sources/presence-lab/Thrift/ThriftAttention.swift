/// Who watches whom at this moment, and which changes they have not been shown yet.
struct ThriftAttention: Sendable {
    private static let nothing = UInt32.max

    let links: ThriftLinks
    /// Connected contacts at the link's server.
    private(set) var watchers: [UInt16]
    /// What the link's server shows.
    private var shown: [UInt32]
    /// When what it does not show yet came about; ``nothing`` if it shows all.
    private var changedAt: [UInt32]
    private var waiting: [UInt16]
    /// What users are.
    private var current: [UInt32]

    init(_ links: ThriftLinks, users: Int) {
        self.links = links
        watchers = [UInt16](repeating: 0, count: links.servers.count)
        shown = [UInt32](repeating: 0, count: links.servers.count)
        changedAt = [UInt32](repeating: ThriftAttention.nothing, count: links.servers.count)
        waiting = [UInt16](repeating: 0, count: links.servers.count)
        current = [UInt32](repeating: 0, count: users)
    }

    mutating func connects(_ user: Int) { for link in links.watched[user] { watchers[Int(link)] += 1 } }

    /// - Returns: how many observers' changes are shown to nobody any more.
    mutating func disconnects(_ user: Int) -> UInt64 {
        var unseen: UInt64 = 0
        for link in links.watched[user] {
            watchers[Int(link)] -= 1
            guard watchers[Int(link)] == 0, changedAt[Int(link)] != ThriftAttention.nothing else { continue }
            changedAt[Int(link)] = ThriftAttention.nothing
            unseen += UInt64(waiting[Int(link)])
        }
        return unseen
    }

    /// - Returns: false if the user was that before.
    mutating func changes(_ user: Int, to value: UInt32, at now: Int64, _ staleness: inout ThriftStaleness) -> Bool {
        guard current[user] != value else { return false }
        current[user] = value
        for link in links.links(of: user) {
            if changedAt[link] != ThriftAttention.nothing {
                staleness.superseded += UInt64(waiting[link])
                changedAt[link] = ThriftAttention.nothing
            }
            guard watchers[link] > 0 else { continue }
            if shown[link] == value {
                staleness.superseded += UInt64(watchers[link])
            } else {
                changedAt[link] = UInt32(now)
                waiting[link] = watchers[link]
            }
        }
        return true
    }

    mutating func shows(_ user: Int, on link: Int, as value: UInt32, at now: Int64, _ staleness: inout ThriftStaleness)
    {
        shown[link] = value
        guard changedAt[link] != ThriftAttention.nothing, value == current[user] else { return }
        staleness.note(now - Int64(changedAt[link]), observers: UInt64(waiting[link]))
        changedAt[link] = ThriftAttention.nothing
    }

    /// What was never shown until the end.
    mutating func end(_ staleness: inout ThriftStaleness) {
        for link in changedAt.indices where changedAt[link] != ThriftAttention.nothing {
            staleness.unseen += UInt64(waiting[link])
        }
    }
}
