-- Accounts whose passwords are tokens of Fanout Cloud: each sign-in is asked for over HTTP. PLAIN only, since nobody but
-- the asked side can tell whether a token holds. The token goes with each stanza of the session that is for our
-- components, so that they know what it may do; what a client puts there itself is taken out.
--
-- Whatever is at that address, slow, endless or silent, each sign-in is answered within the time limit: with
-- temporary-auth-failure. What is wrong is logged once, and once when it is over.
--
-- Options: fanout_auth_url (http://127.0.0.1:8000/xmpp/auth), fanout_auth_secret, fanout_auth_timeout (2 seconds).

local async = require "util.async";
local http = require "net.http";
local json = require "util.json";
local new_sasl = require "util.sasl".new;
local timer = require "util.timer";
local jid_host = require "util.jid".host;

local url = module:get_option_string("fanout_auth_url", "http://127.0.0.1:8000/xmpp/auth");
local secret = module:get_option_string("fanout_auth_secret", "");
local timeout_s = module:get_option_number("fanout_auth_timeout", 2);
local host = module.host;
local services = { ["pubsub." .. host] = true; ["api." .. host] = true; ["stanza." .. host] = true };
local TOKEN = "urn:fanout:token:0";
local MAX_ASKED = 200;  -- at once; more are refused without a question
local MAX_ANSWER_BYTES = 16384;
local asked, is_well = 0, true;

-- Logs when the service stops answering as it should, and when it does again.
local function note(status)
	local is_answer = status == 200 or status == 401 or status == 403;
	if is_well and not is_answer then
		module:log("warn", "%s does not tell whether tokens hold (%s): sign-ins are refused until it does",
			url, status and ("status " .. status) or ("nothing within " .. timeout_s .. " s"));
	elseif is_answer and not is_well then
		module:log("info", "%s answers again", url);
	end
	is_well = is_answer;
end

-- Returns the status of the answer, or nil if none came in time.
local function ask(username, password, address)
	if asked >= MAX_ASKED then return nil; end
	local wait, done = async.waiter();
	local status, answered, request;
	local function answer(code)
		if not answered then
			answered, status = true, code;
			asked = asked - 1;
			note(code);
			done();
		end
	end
	asked = asked + 1;
	timer.add_task(timeout_s, function ()
		answer(nil);
		if request then http.destroy_request(request); end  -- else it would be read for as long as it lasts
	end);
	request = http.request(url, {
		method = "POST";
		headers = { ["Content-Type"] = "application/json"; ["Authorization"] = "Bearer " .. secret };
		body = json.encode({ user = username; host = host; password = password; ip = address });
		suppress_errors = true;
	}, function (_, code) answer(code); end);
	if request then request.body_size_limit, request.head_size_limit = MAX_ANSWER_BYTES, MAX_ANSWER_BYTES; end
	wait();
	return status;
end

local provider = {};

function provider.get_sasl_handler(session)
	local is_temporary = false;
	local handler = new_sasl(host, {
		plain_test = function (_, username, password)
			local status = ask(username, password, session.ip or "");
			is_temporary = status ~= 200 and status ~= 401 and status ~= 403;
			if status ~= 200 then return false, true; end
			session.fanout_token = password;
			return true, true;
		end;
	});
	local process = handler.process;
	function handler:process(message)
		local status, condition, text = process(self, message);
		if status == "failure" and is_temporary then
			return "failure", "temporary-auth-failure", "The service can't check tokens now; try again in a moment.";
		end
		return status, condition, text;
	end
	return handler;
end

-- There is no list of accounts here: any may exist, and none can be made or changed.
function provider.user_exists() return true; end
function provider.users() return function () end; end
function provider.test_password() return nil, "not supported"; end
function provider.get_password() return nil, "not supported"; end
function provider.set_password() return nil, "not supported"; end
function provider.create_user() return nil, "not supported"; end
function provider.delete_user() return nil, "not supported"; end

local function stamp(event)
	local stanza, session = event.stanza, event.origin;
	if stanza.attr.to == nil or not services[jid_host(stanza.attr.to)] then return; end
	stanza:maptags(function (child)
		if child.attr.xmlns == TOKEN then return nil; end
		return child;
	end);
	if session.fanout_token then
		stanza:tag("token", { xmlns = TOKEN }):text(session.fanout_token):up();
	end
end

for _, kind in ipairs({ "iq", "message", "presence" }) do
	for _, target in ipairs({ "host", "bare", "full" }) do
		module:hook("pre-" .. kind .. "/" .. target, stamp, 1000);
	end
end

module:provides("auth", provider);
