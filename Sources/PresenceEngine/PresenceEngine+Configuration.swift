import PresenceModel

extension PresenceEngine {
    /// Times and bounds of the presence model; each is named by what follows it. Design: section 8.
    public struct Configuration: Hashable, Sendable {
        /// A device without a sync or stream is gone after this.
        public var offlineAfter: Duration = .seconds(30)
        /// A device without activity is idle after this.
        public var idleAfter: Duration = .minutes(5)
        /// Busy ends when no device has been seen for this long.
        public var busyEndsAfter: Duration = .hours(1)
        /// Ages leave this server as multiples of this.
        public var ageGranularity: Duration = .seconds(60)
        /// The last activity of who is active is saved this often: what a crash takes of it.
        public var activitySavedEvery: Duration = .minutes(5)

        /// Past this the device seen longest ago is forgotten.
        public var devicesPerUser = 32
        /// Past this the oldest stream of a user ends.
        public var streamsPerUser = 100
        /// Past this a further entry of a presence list is refused.
        public var listEntriesPerUser = 1000
        /// Past this a request to see a user is denied, as if by policy.
        public var requestsPerUser = 200
        /// The same for requests from users of one other server.
        public var requestsPerServer = 50
        /// Users whom one user lets see them or is asked by: past this a request is denied. Users whom one user blocks:
        /// past this a further one is refused.
        public var consentsPerUser = 5000
        /// Past this a further group is refused; at most 64.
        public var groupsPerUser = 64
        /// Past this a further room of one user is refused.
        public var roomsPerUser = 10_000
        /// Users who became visible to one observer since the observer connected; past this who reads on from before gets
        /// everything anew.
        public var arrivalsPerUser = 1000

        /// A request is granted where the one asked wants to see the asker.
        public var grantsMutually = true
        /// What holds for users who picked no policy.
        public var listPolicy = ListPolicy.ask
        /// What holds for requests from users of these servers; `denyAll` goes before what the user picked.
        public var listPolicyByServer: [ServerName: ListPolicy] = [:]
        /// Sharing one of these makes nobody visible.
        public var excludedRooms: Set<RoomID> = []
        /// Who shares only rooms with more members than this is seen widely: see ``Reach``.
        public var nearRoomLimit = 1000
        /// Users who are hidden or offline by choice count as interested in other servers' users while they are
        /// connected. Off, because a poll says that somebody is there.
        public var hiddenUsersCare = false
        /// What another server says of a user whom nobody here can see is kept this long, should the user come into a room:
        /// for a server that hears of rooms from elsewhere. Zero: not at all.
        public var earlyReportsKept: Duration = .zero
        /// Localparts that begin so are of people somewhere else: users of this server may ask them before they are known
        /// here. For a bridge.
        public var reservedPrefixes: [String] = []
        /// How local users are is told by ``Effect/localViewed(_:_:)``: for a bridge.
        public var tellsLocalViews = false
        /// The longest explicit interest; a longer one is cut to this.
        public var interestLimit: Duration = .hours(1)

        /// A fault on purpose, to see that the tests notice. Not to be reached from outside the package.
        package var canary: Canary?

        /// The defaults above.
        public init() {}
    }

    /// Faults that tests switch on to see that they are found.
    package enum Canary: Hashable, Sendable, CaseIterable {
        /// Looks at a device once, and forgets when to look again.
        case forgetsToRearm
        /// Shows everybody who is on a list or in a room, allowed or not.
        case skipsPermissionCheck
        /// What a hidden user does moves the age that others see.
        case hiddenLeaksActivity
    }

    /// What happened.
    public enum Event: Hashable, Sendable {
        /// The engine holds what was restored and goes to work. Comes once, first.
        case started
        /// There is such a user here, whether they were ever seen or not.
        case userKnown(UserID)
        /// The account of a local user was closed. What is to be taken back of it is said by other events.
        case userClosed(UserID)

        // Devices of local users. Each of these is contact with the device.

        /// A user picked a state and a text (`nil` clears it). Counts as activity.
        case statusChosen(DeviceKey, ChosenState, text: String?)
        /// A user insists on a state, or (`nil`) no longer does. Counts as activity.
        case overrideSet(DeviceKey, PresenceOverride?)
        /// A device was in touch without its user doing anything.
        case deviceSeen(DeviceKey)
        /// A user did something on a device; ends its idleness.
        case deviceActed(DeviceKey)
        /// A device synced, once.
        case deviceSynced(DeviceKey, SetPresence)
        /// A device said something of itself.
        case deviceReported(DeviceKey, DeviceReport)
        /// A device took back its type and its idleness. Counts as activity.
        case deviceReportWithdrawn(DeviceKey)
        /// A device lost its access token: it is gone at once, and its type forgotten.
        case deviceRevoked(DeviceKey)
        /// Somebody who knows says how a device is: it is connected from then on, until they say otherwise, that it is
        /// gone (``deviceRevoked(_:)``) or lost.
        case deviceShown(DeviceKey, DeviceShowing)
        /// Whoever knew of a device does not any more: it is gone, and whether its user is is not known. Until another
        /// device comes, or it is said that this one is gone, a user without others is unknown to others.
        case deviceLost(DeviceKey)
        /// A device began to listen for changes; unless it said not to touch presence it is connected until the stream
        /// is closed.
        case streamOpened(StreamID, DeviceKey, SetPresence)
        case streamClosed(StreamID)

        // Presence lists. The first user is local.

        /// A user asks to see someone. Again: a new note and pointer, and a new request if it was denied.
        case entryAdded(observer: UserID, observed: UserID, note: String?, acl: String?)
        case entryRemoved(observer: UserID, observed: UserID)
        /// As ``entryAdded(observer:observed:note:acl:)`` among local users, said elsewhere: the one asked is asked whatever
        /// the policy says, unless they block the observer. A pointer that is there stays.
        case requestRelayed(observer: UserID, observed: UserID, note: String?)
        /// A local user let another one see them elsewhere: so it is here, whether they asked here or not; a block stays.
        case consentRelayed(observed: UserID, observer: UserID)
        case groupAdded(UserID, GroupName)
        case groupRenamed(UserID, GroupName, to: GroupName)
        case groupRemoved(UserID, GroupName)
        /// Someone on a user's list is put into one of the user's groups, or taken out.
        case memberAdded(UserID, GroupName, UserID)
        case memberRemoved(UserID, GroupName, UserID)
        /// A local user lets someone see them who asked, or repeats that they may.
        case requestAccepted(observed: UserID, observer: UserID)
        /// A local user does not let someone see them, or no longer.
        case requestDenied(observed: UserID, observer: UserID)
        /// As denied, for good: further requests are denied at once, and sharing a room does not help.
        case userBlocked(by: UserID, UserID)
        case userUnblocked(by: UserID, UserID)
        /// `nil`: what the configuration says.
        case listPolicyChosen(UserID, ListPolicy?)
        case contactPolicyChosen(UserID, ContactPolicy)
        /// Another server said something about leave to see a user. Who may say it was looked at before.
        case permissionReceived(PermissionMessage)

        // Rooms.

        case roomJoined(UserID, RoomID)
        case roomLeft(UserID, RoomID)
        /// Nobody is in the room any more.
        case roomForgotten(RoomID)

        // Interest and other servers' users.

        /// What a local user wants to be kept posted on, whether a client is connected or not, until a time; `nil`: what
        /// the user's clients imply.
        case interestSet(UserID, InterestScope?, until: Instant)
        /// Another server said what its user is, and until when it will tell of changes (`nil`: for good).
        case remoteReported(UserID, Presence, goodUntil: Instant?)
        /// What was reported of a user of another server last holds at least until then.
        case remoteRenewed(UserID, goodUntil: Instant)
        /// Nothing is promised about a user of another server any more.
        case remoteLapsed(UserID, UnknownReason)
        case deadlineReached
    }

    /// What is to be done.
    public enum Effect: Hashable, Sendable {
        /// There is something new for this stream: ask ``PresenceEngine/changes(for:after:)``.
        case wake(StreamID)
        /// A local user is something else now, as other servers may see it.
        indirect case localPublished(UserID, Presence, Occasion)
        /// A local user is something else now, as whoever goes by their devices may know: see
        /// ``Configuration/tellsLocalViews``. Of each user that is known, from the start on.
        indirect case localViewed(UserID, LocalView)
        /// A server hosts someone who may see this local user.
        indirect case audienceAdded(UserID, ServerName)
        /// As before the restart: nothing new for that server.
        indirect case audienceRestored(UserID, ServerName)
        /// No one at that server may see this local user any more.
        indirect case audienceRemoved(UserID, ServerName)
        /// By what a local user can be seen at a server of their audience; `near` where nothing was said.
        indirect case reachChanged(UserID, ServerName, Reach)
        /// The first local observer who cares about a user of another server; whether anything is known of that user.
        indirect case interestBegan(UserID, knows: Bool)
        /// The last one is gone.
        indirect case interestEnded(UserID)
        /// To be told to ``PermissionMessage/destination``, for certain.
        indirect case permission(PermissionMessage)
        /// The request need not be told any more, if it was not yet.
        indirect case permissionWithdrawn(PermissionMessage)
        indirect case save(Record)
    }

    /// Why a local user's presence is told.
    public enum Occasion: Hashable, Sendable {
        /// From offline to anything else.
        case appeared
        case changed
        /// This server came back and says again what holds.
        case restarted
    }

    /// What a user's clients want to be kept posted on, of what is on the user's list.
    public enum InterestScope: Hashable, Sendable {
        case wholeList
        /// Members of the groups, and the users. Users need not be on the list if they share a room.
        case selected(groups: [GroupName], users: [UserID])
    }
}

/// A stream of one client, numbered by the runtime; a number is never used twice in a run.
public struct StreamID: Hashable, Comparable, Sendable {
    /// Rises by one with every stream opened.
    public let number: UInt64

    /// The stream of that number.
    public init(_ number: UInt64) { self.number = number }

    /// The stream opened earlier comes first.
    public static func < (left: StreamID, right: StreamID) -> Bool { left.number < right.number }
}
