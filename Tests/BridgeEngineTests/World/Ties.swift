import BridgeEngine
import SocialEngine

/// Who wants to be whose friend, and who blocked whom; what a service makes of acts, without any machine of states.
struct Ties: Hashable, Sendable {
    struct Way: Hashable, Sendable {
        var from: String
        var to: String
        var back: Way { Way(from: to, to: from) }
    }

    private(set) var wants: Set<Way> = []
    private(set) var blocks: Set<Way> = []

    /// Carries an act out; false if it does not apply.
    mutating func act(_ action: FriendshipAction, by actor: String, towards other: String) -> Bool {
        let way = Way(from: actor, to: other)
        let (mine, theirs) = (wants.contains(way), wants.contains(way.back))
        switch action {
        case .request:
            guard !mine, !blocks.contains(way), !blocks.contains(way.back) else { return false }
            wants.insert(way)
        case .accept:
            guard theirs, !mine else { return false }
            wants.insert(way)
        case .reject:
            guard theirs, !mine else { return false }
            clear(way)
        case .cancel:
            guard mine, !theirs else { return false }
            clear(way)
        case .delete:
            guard mine, theirs else { return false }
            clear(way)
        case .block:
            guard !blocks.contains(way) else { return false }
            clear(way)
            blocks.insert(way)
        case .unblock: return blocks.remove(way) != nil
        }
        return true
    }

    private mutating func clear(_ way: Way) {
        wants.remove(way)
        wants.remove(way.back)
    }

    /// What is between two, seen from the first.
    func bond(_ first: String, _ second: String) -> Bond {
        let way = Way(from: first, to: second)
        switch (blocks.contains(way), blocks.contains(way.back)) {
        case (true, true): return .blocked(by: [.first, .second])
        case (true, false): return .blocked(by: .first)
        case (false, true): return .blocked(by: .second)
        case (false, false): break
        }
        switch (wants.contains(way), wants.contains(way.back)) {
        case (true, true): return .friends
        case (true, false): return .requested(by: .first)
        case (false, true): return .requested(by: .second)
        case (false, false): return .nothing
        }
    }

    func areFriends(_ first: String, _ second: String) -> Bool { bond(first, second) == .friends }

    /// Everybody to whom somebody is anything, sorted.
    func others(of name: String) -> [String] {
        var names: Set<String> = []
        for way in wants.union(blocks) {
            if way.from == name { names.insert(way.to) }
            if way.to == name { names.insert(way.from) }
        }
        return names.sorted()
    }
}
