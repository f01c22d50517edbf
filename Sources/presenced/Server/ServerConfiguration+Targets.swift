import ClientGateway
import FederationEngine
import HomeserverLink
import MatrixFederation
import MatrixWire
import PresenceEngine
import PresenceModel
import PresenceRuntime
import PresenceStore
import SocialEngine

// What the operator set, in the words of each target.
extension ServerConfiguration {
    /// - Parameters:
    ///   - boot: higher at every start.
    ///   - seed: of everything that chance decides.
    func instance(boot: UInt64, seed: UInt64) -> PresenceInstance {
        PresenceInstance(
            presence: PresenceEngine(server: serverName, configuration: presenceConfiguration),
            federation: FederationEngine(
                server: serverName, configuration: federationConfiguration, boot: boot, seed: seed),
            directions: directions)
    }

    private var directions: PresenceInstance.Directions {
        guard federation.enabled else { return .none }
        return [federation.send ? .send : .none, federation.receive ? .receive : .none]
    }

    /// Which servers are talked to.
    var access: ServerAccess { ServerAccess(allow: federation.allowServers, deny: federation.denyServers) }

    private var presenceConfiguration: PresenceEngine.Configuration {
        var settings = PresenceEngine.Configuration()
        settings.offlineAfter = presence.offlineAfter
        settings.idleAfter = presence.idleAfter
        settings.busyEndsAfter = presence.busyEndsAfter
        settings.ageGranularity = presence.ageGranularity
        settings.devicesPerUser = presence.devicesPerUser
        settings.streamsPerUser = presence.streamsPerUser
        settings.roomsPerUser = presence.roomsPerUser
        settings.excludedRooms = Set(presence.excludedRooms)
        settings.nearRoomLimit = federation.legacy.roomLimit
        settings.hiddenUsersCare = presence.hiddenPolls
        // Who is in which room is heard from the homeserver, a moment after it happened.
        settings.earlyReportsKept = homeserver.url == nil ? .zero : .minutes(1)
        settings.interestLimit = presence.interestLimit
        settings.listPolicy = lists.policy
        settings.listPolicyByServer = lists.policyByServer
        settings.grantsMutually = lists.grantMutually
        settings.listEntriesPerUser = lists.entriesPerUser
        settings.requestsPerUser = lists.requestsPerUser
        settings.requestsPerServer = lists.requestsPerServer
        settings.consentsPerUser = lists.consentsPerUser
        settings.groupsPerUser = lists.groupsPerUser
        settings.tellsLocalViews = bridge.service != .off
        settings.reservedPrefixes = bridge.services.map { bridgeConfiguration(for: $0).ghostPrefix }
        return settings
    }

    private var federationConfiguration: FederationEngine.Configuration {
        var settings = FederationEngine.Configuration()
        settings.batchWindow = federation.batch.window
        settings.batchStretch = federation.batch.stretch
        settings.batchLead = federation.batch.lead == .immediate ? .immediate : .window
        settings.promise = federation.promise
        settings.unpollGrace = federation.unpollGrace
        settings.shortWatchdog = federation.watchdog.short
        settings.longWatchdog = federation.watchdog.long
        settings.silentAfter = federation.silentAfter
        settings.legacyRefresh = federation.legacy.refresh
        settings.retryFirst = federation.retry.first
        settings.retryFactor = federation.retry.factor
        settings.retryLimit = federation.retry.limit
        settings.retryJitter = federation.retry.jitter
        return settings
    }

    var gatewayConfiguration: ClientGateway.Configuration {
        var settings = ClientGateway.Configuration()
        settings.bodyLimitBytes = client.bodyLimitBytes
        settings.acceptsBusy = client.acceptBusy
        settings.busyValue = client.busyAs.value
        settings.unknownAs = client.unknownAs.shape
        settings.streamKeepalive = client.streamKeepalive
        settings.longPollLimit = client.longPollLimit
        settings.ageGranularity = presence.ageGranularity
        settings.statusTextLimitBytes = presence.statusTextLimitBytes
        settings.putsPerSecond = client.rateLimit.perSecond
        settings.putBurst = client.rateLimit.burst
        return settings
    }

    var federationGatewayConfiguration: FederationGateway.Configuration {
        var settings = FederationGateway.Configuration()
        settings.bodyLimitBytes = federation.bodyLimitBytes
        settings.version = Presenced.version
        settings.access = access
        settings.directions = directions
        settings.requestsPerSecond = federation.incoming.perSecond
        settings.requestBurst = federation.incoming.burst
        settings.transactionQueue = federation.incoming.queue
        return settings
    }

    var socialConfiguration: SocialEngine.Configuration {
        var settings = SocialEngine.Configuration()
        settings.offlineAfter = social.timeout
        settings.leaveGrace = social.leaveGrace
        settings.isShared = social.redis.url != nil
        settings.friendsPerUser = social.friendsPerUser
        settings.requestsFromUser = social.requestsFromUser
        settings.requestsToUser = social.requestsToUser
        settings.requestsPerHour = social.requestsPerHour
        settings.requestsPerHourOfPair = social.requestsPerHourOfPair
        settings.messageLimitBytes = social.messageLimitBytes
        settings.blocksPerUser = social.blocksPerUser
        settings.newcomersPerMinute = social.newcomersPerMinute
        return settings
    }

    /// What becomes of the homeserver's answers to logins.
    var loginAnswers: LoginAnswers {
        guard social.enabled else { return .passed }
        guard social.nameAtLogin else { return .remembered }
        return .named { user in (try? SocialAddress(parsing: user.text))?.text }
    }

    var storeConfiguration: PresenceStore.Configuration {
        var settings = PresenceStore.Configuration()
        settings.synchronous = store.synchronous == .full ? .full : .normal
        settings.writeBehind = store.writeBehind
        return settings
    }
}

extension ServerConfiguration.BusyForm {
    var value: BusyValue {
        switch self {
        case .msc3026: .msc3026
        case .unavailable: .unavailable
        }
    }
}

extension ServerConfiguration.UnknownForm {
    var shape: ClientGateway.UnknownShape {
        switch self {
        case .offline: .offline
        case .notFound: .notFound
        case .disabled: .disabled
        }
    }
}
