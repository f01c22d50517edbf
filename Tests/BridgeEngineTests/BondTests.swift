import SocialEngine
import Testing

@testable import BridgeEngine

@Suite struct `A bond` {
    static let all: [Bond] = [
        .nothing, .requested(by: .first), .requested(by: .second), .friends, .blocked(by: .first),
        .blocked(by: .second),
        .blocked(by: [.first, .second]),
    ]
    static let acts: [FriendshipAction] = [
        .request(message: nil), .accept, .reject, .cancel, .delete, .block, .unblock,
    ]

    @Test func `turns around, and back`() {
        for bond in `A bond`.all {
            #expect(bond.turned.turned == bond)
            for act in `A bond`.acts {
                #expect(bond.after(act, by: .first)?.turned == bond.turned.after(act, by: .second))
            }
        }
    }

    @Test func `is changed by the acts that the social service allows, and by no others`() {
        #expect(Bond.nothing.after(.request(message: "x"), by: .second) == .requested(by: .second))
        #expect(Bond.requested(by: .first).after(.request(message: nil), by: .second) == .friends)
        #expect(Bond.requested(by: .first).after(.accept, by: .second) == .friends)
        #expect(Bond.requested(by: .first).after(.accept, by: .first) == nil)
        #expect(Bond.requested(by: .first).after(.reject, by: .second) == .nothing)
        #expect(Bond.requested(by: .first).after(.reject, by: .first) == nil)
        #expect(Bond.requested(by: .first).after(.cancel, by: .first) == .nothing)
        #expect(Bond.requested(by: .first).after(.cancel, by: .second) == nil)
        #expect(Bond.friends.after(.delete, by: .first) == .nothing)
        #expect(Bond.nothing.after(.delete, by: .first) == nil)
        #expect(Bond.friends.after(.block, by: .second) == .blocked(by: .second))
        #expect(Bond.blocked(by: .second).after(.block, by: .first) == .blocked(by: [.first, .second]))
        #expect(Bond.blocked(by: .second).after(.unblock, by: .first) == nil)
        #expect(Bond.blocked(by: .second).after(.unblock, by: .second) == .nothing)
        #expect(Bond.blocked(by: .first).after(.request(message: nil), by: .second) == nil)
    }

    @Test func `gets from anywhere to anywhere, where both can act`() {
        for start in `A bond`.all {
            for aim in `A bond`.all {
                var (bond, steps) = (start, 0)
                while let step = bond.step(towards: aim, able: { _ in true }), steps < 9 {
                    guard let next = bond.after(step.1, by: step.by) else {
                        Issue.record("\(step) does not apply to \(bond), on the way to \(aim)")
                        return
                    }
                    bond = next
                    steps += 1
                }
                #expect(bond == aim, "from \(start)")
                #expect(steps <= 4)
            }
        }
    }

    @Test func `is given nobody's consent but by themself`() {
        let first: (Bond.Partner) -> Bool = { $0 == .first }
        #expect(Bond.requested(by: .first).step(towards: .friends, able: first) == nil)
        #expect(Bond.nothing.step(towards: .requested(by: .second), able: first) == nil)
        #expect(Bond.requested(by: .second).step(towards: .friends, able: first)?.1 == .accept)
        #expect(Bond.requested(by: .second).step(towards: .nothing, able: first)?.1 == .reject)
        #expect(Bond.requested(by: .first).step(towards: .nothing, able: { $0 == .second })?.1 == .reject)
    }

    @Test func `that one side alone changed is what that side says`() {
        for base in `A bond`.all {
            for other in `A bond`.all {
                #expect(Bond.settled(base: base, one: base, other: other, isOneLater: true) == other)
                #expect(Bond.settled(base: base, one: other, other: base, isOneLater: false) == other)
                #expect(Bond.settled(base: base, one: other, other: other, isOneLater: true) == other)
            }
        }
    }

    @Test func `is settled the same from both sides`() {
        for base in `A bond`.all {
            for one in `A bond`.all {
                for other in `A bond`.all {
                    let here = Bond.settled(base: base, one: one, other: other, isOneLater: true)
                    let there = Bond.settled(base: base, one: other, other: one, isOneLater: false)
                    #expect(here == there, "base \(base), \(one) and \(other)")
                }
            }
        }
    }

    @Test func `that was taken back on one side and given on the other is taken back`() {
        let asked = Bond.requested(by: .first)
        #expect(Bond.settled(base: asked, one: .friends, other: .nothing, isOneLater: true) == .nothing)
        #expect(Bond.settled(base: .friends, one: .nothing, other: asked, isOneLater: false) == asked)
        #expect(Bond.settled(base: .friends, one: .nothing, other: asked, isOneLater: true) == .nothing)
        #expect(Bond.settled(base: .nothing, one: asked, other: asked.turned, isOneLater: true) == .friends)
        #expect(Bond.settled(base: .nothing, one: asked, other: .friends, isOneLater: true) == .friends)
        #expect(
            Bond.settled(base: .friends, one: .blocked(by: .first), other: .blocked(by: .second), isOneLater: true)
                == .blocked(by: [.first, .second]))
        #expect(
            Bond.settled(
                base: .blocked(by: .first), one: .nothing, other: .blocked(by: [.first, .second]), isOneLater: false)
                == .blocked(by: .second))
        #expect(
            Bond.settled(base: asked, one: .blocked(by: .second), other: .friends, isOneLater: false)
                == .blocked(by: .second))
    }
}
