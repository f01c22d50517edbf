import BridgeEngine
import PresenceEngine
import Testing

@testable import SocialBridge

@Suite struct `The bond that presence lists say` {
    private static let both = [false, true]

    @Test func `is that of blocks, then of who wants whom, in all sixteen cases`() {
        for wants in Self.both {
            for isWanted in Self.both {
                for blocks in Self.both {
                    for isBlocked in Self.both {
                        var tie = PresenceEngine.Tie()
                        (tie.wants, tie.isWanted, tie.blocks, tie.isBlocked) = (wants, isWanted, blocks, isBlocked)
                        let expected: Bond =
                            switch (blocks, isBlocked, wants, isWanted) {
                            case (true, true, _, _): .blocked(by: [.first, .second])
                            case (true, false, _, _): .blocked(by: .first)
                            case (false, true, _, _): .blocked(by: .second)
                            case (false, false, true, true): .friends
                            case (false, false, true, false): .requested(by: .first)
                            case (false, false, false, true): .requested(by: .second)
                            case (false, false, false, false): .nothing
                            }
                        #expect(Bond(tie) == expected)
                        // Seen from the other one, it is the same turned.
                        var other = PresenceEngine.Tie()
                        (other.wants, other.isWanted) = (isWanted, wants)
                        (other.blocks, other.isBlocked) = (isBlocked, blocks)
                        #expect(Bond(other) == expected.turned)
                    }
                }
            }
        }
    }

    @Test func `leaves something in the lists only where it ended one-sidedly`() {
        let all: [Bond] = [
            .nothing, .requested(by: .first), .requested(by: .second), .friends, .blocked(by: .first),
            .blocked(by: .second), .blocked(by: [.first, .second]),
        ]
        for before in all {
            for now in all {
                let isBlock = if case .blocked = now { true } else { false }
                let isRequest = if case .requested = now { true } else { false }
                let wasSomething = if case .requested = before { true } else { before == .friends }
                let expected = (isBlock && wasSomething) || (isRequest && before == .friends)
                #expect(now.leavesRemains(of: before) == expected, "\(before) → \(now)")
            }
        }
    }
}
