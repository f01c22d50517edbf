import PresenceRuntime
import SocialEngine
import Testing

@testable import SocialService

struct `What Redis says` {
    /// As many as a process counts up to, and believes of another.
    private static let most: Int64 = 1 << 53

    private func update(blocks: (Int64, Int64) = (0, 0), revision: Int64 = 1) -> SocialEngine.SharedUpdate? {
        let text = """
            {"process":2,"pair":{"low":"ann","high":"bob","state":"friends","since":1,"blocks":[\(blocks.0),\(blocks.1)],
            "actor":"low","actedAt":1,"revision":\(revision),"origin":2}}
            """
        return SharedText.decode(text, validFor: .zero)?.update
    }

    private func update(privacy: Int64 = 1, concealment: Int64 = 1) -> SocialEngine.SharedUpdate? {
        let text = """
            {"process":2,"settings":{"user":"ann","privacy":"state_only","privacyRevision":\(privacy),
            "isConcealed":false,"concealmentRevision":\(concealment)}}
            """
        return SharedText.decode(text, validFor: .zero)?.update
    }

    @Test(arguments: [most + 1, .max - 1, .max, -1])
    func `with a count that nobody reaches by counting says nothing`(count: Int64) {
        #expect(update(blocks: (count, 0)) == nil)
        #expect(update(blocks: (0, count)) == nil)
        #expect(update(revision: count) == nil)
        #expect(update(privacy: count) == nil)
        #expect(update(concealment: count) == nil)
    }

    @Test(arguments: [true, false]) func `of a user says whether a bridge alone holds them`(isBridged: Bool) throws {
        let presence = SocialEngine.SharedPresence(
            user: try address("ann"), process: 2, sequence: 1, state: .online, whereabouts: nil, at: .epoch,
            placedBy: 2,
            validFor: .seconds(5), isBridged: isBridged)
        let text = SharedText.encode(.presence(presence), of: 2)
        #expect(text.contains("bridged") == isBridged)
        #expect(SharedText.decode(text, validFor: .seconds(5))?.update == .presence(presence))
    }

    @Test func `with the highest count can still be acted upon`() async throws {
        let most = `What Redis says`.most
        let runtime = SocialRuntime(
            engine: SocialEngine(process: 1), clock: HandClock(), journal: HeldJournal())
        let (ann, bob) = (try address("ann"), try address("bob"))
        await runtime.submit(.shared(try #require(update(blocks: (most, most), revision: most))))
        await runtime.submit(.shared(try #require(update(privacy: most, concealment: most))))
        while await runtime.read({ engine, _ in engine.counts.changes }) > 0 { await Task.yield() }
        #expect(await runtime.privacy(of: ann) == .stateOnly)
        _ = try await runtime.act(.block, by: ann, towards: bob)
        _ = try await runtime.act(.block, by: bob, towards: ann)
        try await runtime.setPrivacy(of: ann, to: .hidden)
        await runtime.setConcealment(of: ann, to: true)
        #expect(await runtime.blocked(by: ann) == [bob])
        #expect(await runtime.blocked(by: bob) == [ann])
    }
}
