import PresenceEngine
import PresenceModel
import PresenceRuntime
import PresenceTestKit
import Testing

@Suite struct `Whoever listens to local users` {
    private struct Listener: LocalUserListening {
        let log = Log()
        func userViewed(_ user: UserID, as view: LocalView) {
            guard case .visible(let state, let text, _) = view else { return log.add("\(user.localpart): \(view)") }
            log.add("\(user.localpart): \(state) \(text ?? "-")")
        }
        func tieChanged(of user: UserID, with other: UserID) { log.add("\(user.localpart)+\(other.localpart)") }
        func groupsChanged(of user: UserID) { log.add("\(user.localpart)'s groups") }
    }

    @Test func `hears of them in the order in which it happened`() async throws {
        var configuration = PresenceEngine.Configuration()
        configuration.tellsLocalViews = true
        let listener = Listener()
        let runtime = try await PresenceRuntime.started(configuration: configuration, listener: listener)
        let (alice, bob, friends) = (try local("alice"), try local("bob"), try GroupName(parsing: "friends"))
        for user in [alice, bob] { await runtime.submit(.presence(.userKnown(user))) }
        try await runtime.choose(.online, text: "hi", on: try device("alice"))
        try await runtime.choose(.hidden, text: nil, on: try device("alice"))
        try await runtime.perform(.groupAdded(alice, friends))
        try await runtime.perform(.entryAdded(observer: alice, observed: bob, note: nil, acl: nil))
        try await runtime.perform(.requestAccepted(observed: bob, observer: alice))
        #expect(
            listener.log.all == [
                "alice: offline -", "bob: offline -", "alice: online hi", "alice: hidden", "alice's groups",
                "alice+bob", "bob+alice", "bob+alice", "alice+bob",
            ])
    }
}
