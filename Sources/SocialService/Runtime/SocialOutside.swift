import SocialEngine

/// What the population wants of the rest of presenced. Calls return at once.
public protocol SocialOutside: Sendable {
    /// A friendship has no room yet: to be answered by ``SocialRuntime/roomMade(for:_:)`` or
    /// ``SocialRuntime/roomFailed(for:)``.
    func roomWanted(for pair: SocialPair)
    /// The user is in the social service themself, not by a bridge alone, whoever may see it.
    func userAppeared(_ user: SocialAddress)
    /// The user is not there any more.
    func userLeft(_ user: SocialAddress)
}

/// Nothing but the social service.
public struct NoOutside: SocialOutside {
    /// Nothing.
    public init() {}
    /// Nobody makes one: for engines that want none.
    public func roomWanted(for pair: SocialPair) {}
    /// Nobody is told.
    public func userAppeared(_ user: SocialAddress) {}
    /// Nobody is told.
    public func userLeft(_ user: SocialAddress) {}
}

/// Tells the other processes of a population what happened in this one. See ``RedisSharing``.
public protocol PopulationSharing: Sendable {
    /// Returns at once; what cannot be told now is made good when it can.
    func share(_ update: SocialEngine.SharedUpdate)
}
