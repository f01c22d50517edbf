import MatrixFederation
import MatrixWire
import PresenceModel

extension ServerConfiguration {
    /// The section `federation`: presence exchanged with other servers.
    struct Federation: Hashable, Sendable {
        var enabled = false
        /// What local users do and ask for is told to other servers.
        var send = true
        /// What other servers say and ask is taken in.
        var receive = true
        /// If there are any, only these are talked to.
        var allowServers: [ServerGlob] = []
        /// These are not talked to.
        var denyServers: [ServerGlob] = []
        var incoming = Incoming()
        var listen = NetworkAddress(host: "127.0.0.1", port: 8448)
        var tls = TLSFiles()
        /// As set; ``ServerConfiguration/signingKeyPath`` is where it lies.
        var signingKey: String?
        /// The key of that file that signs; `nil` for the first one.
        var signingKeyID: SigningKeyID?
        /// PEM file of authorities that are trusted besides those of the system.
        var caFile: String?
        /// JSON file of other servers' keys that need not be fetched.
        var pinnedKeys: String?
        /// Where a server is reached, overriding discovery.
        var resolve: [ServerName: NetworkAddress] = [:]
        /// Addresses that are not public and may be connected to all the same.
        var allowedNetworks: [AddressRange] = []
        /// Empty for those of the system.
        var dnsServers: [NetworkAddress] = []
        /// Asked for the keys of servers that do not answer.
        var notaries: [ServerName] = []
        /// The largest request body, in bytes.
        var bodyLimitBytes = 8 * 1024 * 1024
        var requestTimeout = Duration.seconds(30)
        var connectTimeout = Duration.seconds(10)
        /// Transactions at once to servers that did not answer last time.
        var doubtfulLimit = 128
        var batch = Batch()
        /// How long we promise to push changes.
        var promise = Duration.minutes(65)
        var watchdog = Watchdog()
        /// A peer is silent after so many short watchdogs without an answer.
        var silentAfter = 3
        var legacy = Legacy()
        var unpollGrace = Duration.seconds(60)
        var retry = Retry()
        /// The longest time that a fetched key is believed, whatever its server says.
        var keyValidityLimit = Duration.hours(7 * 24)
        var busyAs = BusyForm.unavailable
    }

    /// The section `federation.tls`: both or neither; neither means plain HTTP behind a reverse proxy.
    struct TLSFiles: Hashable, Sendable {
        /// PEM, the server's certificate first, then the chain.
        var certificate: String?
        /// PEM.
        var key: String?

        /// Both files, if TLS is spoken.
        var pair: (certificate: String, key: String)? {
            guard let certificate, let key else { return nil }
            return (certificate, key)
        }
    }

    /// The section `federation.incoming`: how much one server may ask of us.
    struct Incoming: Hashable, Sendable {
        /// Signed requests per second in the long run; 0 means no limit.
        var perSecond = 20.0
        /// Signed requests at once after a quiet time.
        var burst = 200
        /// Transactions that wait while another one is taken.
        var queue = 10
    }

    /// The section `federation.batch`.
    struct Batch: Hashable, Sendable {
        enum Lead: String, Hashable, Sendable, CaseIterable {
            /// Every change waits for the window.
            case window
            /// The first change after a quiet minute leaves at once.
            case immediate
        }

        var window = Duration.seconds(10)
        var stretch = Duration.seconds(60)
        var lead = Lead.window
    }

    /// The section `federation.watchdog`: when a server is reminded, and everything exchanged anew.
    struct Watchdog: Hashable, Sendable {
        var short = Duration.seconds(60)
        var long = Duration.hours(1)
    }

    /// The section `federation.legacy`: servers that cannot subscribe.
    struct Legacy: Hashable, Sendable {
        var refresh = Duration.minutes(25)
        /// Rooms with more members cause no pushes to servers that cannot subscribe.
        var roomLimit = 1000
    }

    /// The section `federation.retry`: how the pause grows while a server cannot be reached.
    struct Retry: Hashable, Sendable {
        var first = Duration.seconds(10)
        var factor = 2.0
        var limit = Duration.hours(1)
        /// 0.2 spreads every pause by ±20 %.
        var jitter = 0.2
    }
}
