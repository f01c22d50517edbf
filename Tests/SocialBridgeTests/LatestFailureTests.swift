import BridgeEngine
import PresenceModel
import SocialBridge
import SocialClient
import SocialEngine
import Testing

@Suite(.timeLimit(.minutes(1))) struct `What went wrong last with a session` {
    @Test func `is told of that user, and forgotten with the session`() async throws {
        var pauses = SessionPauses()
        (pauses.refused.first, pauses.refused.limit) = (.milliseconds(5), .milliseconds(20))
        let service = PlayedBridged()
        let sessions = BridgedSessions(service: service, credentials: HandedCredentials(), pauses: pauses)
        let side = RunningSide(sessions)
        let (ann, bob) = (try address("ann"), try address("bob"))
        try side.open("ann")
        #expect(await comes { service.made.first?.lives == 1 })
        try side.open("bob")
        #expect(await comes { service.made.count == 2 && service.made.allSatisfy { $0.lives == 1 } })
        #expect(await sessions.latestFailure(of: ann) == nil)
        service.made[0].end(.init(.refused, "no"))
        #expect(await becomes("refused") { await sessions.latestFailure(of: ann) ?? "" })
        #expect(await sessions.latestFailure(of: bob) == nil)
        side.order(.closeSession(ann))
        #expect(await becomes("") { await sessions.latestFailure(of: ann) ?? "" })
        await side.stop()
    }

    @Test func `is told without what would harm a terminal, and not at length`() async throws {
        var pauses = SessionPauses()
        pauses.passing.first = .milliseconds(5)
        let service = PlayedBridged()
        let side = RunningSide(BridgedSessions(service: service, credentials: HandedCredentials(), pauses: pauses))
        try side.open("ann")
        #expect(await comes { service.made.first?.lives == 1 })
        service.made[0].end(.init(.failed, "a\u{1B}[2J\n" + String(repeating: "x", count: 5_000)))
        #expect(await comes { await side.report.latestFailure != nil })
        let words = try #require(await side.report.latestFailure)
        #expect(words.hasPrefix("failed: a?[2J?xxx") && words.utf8.count <= 320)
        #expect(SocialClientError(.failed, "\u{9B}\r\u{202E}").message.allSatisfy { $0 == "?" })
        await side.stop()
    }

    /// Whether it is so within ten seconds.
    private func becomes(_ text: String, _ look: () async -> String) async -> Bool {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if await look() == text { return true }
            await moment()
        }
        return false
    }
}
