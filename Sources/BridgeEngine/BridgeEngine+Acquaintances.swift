import SocialEngine

extension BridgeEngine {
    /// With whom the user has something on the social side, as far as was counted last, over restarts too: friends,
    /// requests, blocks. In order. For a service whose lists may be empty although they are not: who is missing there
    /// can be asked about.
    public func socialAcquaintances(of address: SocialAddress) -> [SocialAddress] {
        guard let number = numbers[address] else { return [] }
        return figures[number].pairs.filter {
            pairs[$0].countedSocial != .nothing || (pairs[$0].social ?? .nothing) != .nothing
        }
        .map { addresses[pairs[$0].other(than: number)] }.sorted()
    }
}
