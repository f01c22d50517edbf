import SocialEngine

/// The social side where the service is elsewhere: a session for each linked user, over connections that they share or
/// have each their own.
public struct ExternalSide: SocialSide {
    private let sessions: BridgedSessions

    /// - Parameter service: ``FirstGeneration``, ``SecondGeneration``, or another one that sessions can be had of.
    public init(_ service: any BridgedService, credentials: any SessionCredentials, pauses: SessionPauses = .init()) {
        sessions = BridgedSessions(service: service, credentials: credentials, pauses: pauses)
    }

    /// Returns at once.
    public func carryOut(_ order: SocialOrder) { sessions.carryOut(order) }

    /// Works until it is cancelled; once.
    public func run(telling ears: any BridgeEars) async { await sessions.run(telling: ears) }

    /// How it stands.
    public func report() async -> SocialSideReport { await sessions.report() }

    /// The kind of what went wrong last, also while the session is open again.
    public func latestFailure(of address: SocialAddress) async -> String? {
        await sessions.latestFailure(of: address)
    }
}
